// The page: shows a conversation as it grows, in as many tabs as there are.
//
// Everything it needs stands in the fragment of its address: #token=… and, once there is one,
// &conversation=… ; &server=… where the server is not at the usual place; &pace=…, the milliseconds that
// the assistant takes for a word.

import { Api } from "./api.js";
import { answer } from "./assistant.js";

const MESSAGES = `query ($id: ID!) {
  conversation(id: $id) { messages { nodes { id position role content status } } }
}`;

const CHANGES = `subscription ($after: String) {
  changes(after: $after) {
    cursor conversationId
    ... on MessageAdded { message { id position role content status } }
    ... on MessageUpdated { message { id position role content status } }
  }
}`;

const TEXT = `subscription ($id: ID!, $offset: Int!) {
  messageText(messageId: $id, offset: $offset) { text status }
}`;

const ASK = `mutation ($input: AppendMessageInput!) { appendMessage(input: $input) { message { id } } }`;
const STOP = `mutation ($id: ID!) { stopMessage(input: { messageId: $id }) { message { id } } }`;
const CREATE = `mutation ($id: ID!) { createConversation(input: { id: $id }) { conversation { id } } }`;

const LABELS = { STREAMING: "writing …", INTERRUPTED: "stopped", FAILED: "failed" };

const page = (id) => document.getElementById(id);
const options = new URLSearchParams(location.hash.slice(1));
const api = new Api(options.get("server") ?? "http://127.0.0.1:8000/graphql", async () => options.get("token"));

/** What is shown, by message. */
const shown = new Map();

/** Shows a message, or what has become of it. */
function show(message) {
  const known = shown.get(message.id);
  // While its text is followed, it comes from there alone: this may be older, or newer.
  if (known?.following) return;
  const place = known?.place ?? insert(message);
  shown.set(message.id, { place, position: message.position, following: message.status === "STREAMING" });
  write(place, message.content, message.status);
  if (message.status === "STREAMING") followText(message).catch(fail);
}

function insert({ id, position, role }) {
  const place = document.createElement("article");
  place.dataset.role = role;
  const footer = document.createElement("footer");
  const stop = Object.assign(document.createElement("button"), { type: "button", textContent: "Stop" });
  stop.addEventListener("click", () => api.send(STOP, { id }).catch(fail));
  footer.append(document.createElement("span"), stop);
  place.append(document.createElement("p"), footer);
  const later = [...shown.values()].filter((other) => other.position > position);
  const next = later.sort((one, other) => one.position - other.position)[0];
  page("messages").insertBefore(place, next?.place ?? null);
  return place;
}

function write(place, text, status) {
  place.dataset.status = status;
  place.querySelector("p").textContent = text;
  place.querySelector("span").textContent = LABELS[status] ?? "";
  place.scrollIntoView({ block: "end" });
}

/** Follows the text of a message from what is shown of it until it ends. */
async function followText({ id, content }) {
  let text = content;
  const variables = { id, offset: [...text].length };
  await api.follow(TEXT, variables, ({ messageText: chunk }) => {
    text += chunk.text;
    variables.offset += [...chunk.text].length; // in code points, which JavaScript iterates by
    write(shown.get(id).place, text, chunk.status);
  });
  shown.get(id).following = false;
}

async function followConversation(id) {
  // First where to begin, then what there is: nothing falls between the two.
  const { conversations } = await api.send("{ conversations(first: 1) { changeCursor } }");
  const { conversation } = await api.send(MESSAGES, { id });
  if (!conversation) throw new Error("There is no such conversation.");
  conversation.messages.nodes.forEach(show);
  const variables = { after: conversations.changeCursor };
  await api.follow(CHANGES, variables, ({ changes: change }) => {
    variables.after = change.cursor;
    if (change.conversationId === id && change.message) show(change.message);
  });
}

async function ask(conversationId, content) {
  await api.send(ASK, { input: { id: crypto.randomUUID(), conversationId, role: "USER", content } });
  await answer(api, conversationId, Number(options.get("pace") ?? 60));
}

function fail(error) {
  page("notice").hidden = false;
  page("notice").textContent = Array.isArray(error) ? error[0].message : String(error.message ?? error);
}

async function start() {
  if (!options.get("token")) throw new Error("Add #token=… to the address: see the README.");
  if (!options.get("conversation")) {
    const id = crypto.randomUUID();
    await api.send(CREATE, { id });
    options.set("conversation", id);
    history.replaceState(null, "", `#${options}`);
  }
  const id = options.get("conversation");
  page("another").href = location.href;
  page("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    const content = new FormData(event.target).get("question");
    event.target.reset();
    ask(id, content).catch(fail);
  });
  await followConversation(id);
}

start().catch(fail);
