// The AI SDK's chat history: UIMessages of every kind go into the server and come out as they were.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { validateUIMessages } from "ai";
import { post, run, step } from "./common.mjs";
import { fromScrollback, toScrollback, UI_MESSAGE } from "./convert.mjs";

const CREATE = `mutation Create($input: CreateConversationInput!) {
  createConversation(input: $input) { conversation { id } }
}`;
const APPEND = `mutation Append($input: AppendMessageInput!) {
  appendMessage(input: $input) { message { content ...UIMessage } }
} ${UI_MESSAGE}`;
const HISTORY = `query History($id: ID!) {
  conversation(id: $id) { messages(first: 100) { nodes { content ...UIMessage } } }
} ${UI_MESSAGE}`;

const providerMetadata = { openai: { itemId: "msg_1", logprobs: [-0.5, 1e-9], flags: { z: true, a: null } } };
const input = { query: "三 🙂", limit: 3, nested: { z: [1, 2.5, null, []], a: {} } };
const output = [{ title: "a\nb", score: 0.25 }, "text", null];
const approval = { id: "approval-1", signature: "sig" };

/** Every state of a tool call, first as bare as it may be, then with all that the AI SDK knows. */
function toolStates() {
  const bare = [
    { state: "input-streaming" },
    { state: "input-available", input },
    { state: "approval-requested", input, approval: { id: "approval-1" } },
    { state: "approval-responded", input, approval: { id: "approval-1", approved: true } },
    { state: "output-available", input, output },
    { state: "output-error", input, errorText: "timed out" },
    { state: "output-denied", input, approval: { id: "approval-1", approved: false } },
  ];
  const call = { title: "Search", toolMetadata: { server: "mcp" }, callProviderMetadata: providerMetadata };
  const result = { providerExecuted: true, resultProviderMetadata: providerMetadata };
  const full = [
    { ...call, state: "input-streaming", input: { query: "三" }, rawInput: '{"query":"三', inputEncoding: "json" },
    { ...call, state: "input-available", input, providerExecuted: false },
    { ...call, state: "approval-requested", input, approval: { ...approval, descriptor: { tool: "search" } } },
    { ...call, state: "approval-responded", input, approval: { ...approval, approved: false, reason: "no" } },
    { ...call, ...result, state: "output-available", input, output, preliminary: true },
    { ...call, ...result, state: "output-error", rawInput: "{", errorText: "" },
    { ...call, state: "output-denied", input, approval: { ...approval, approved: false, reason: "no" } },
    { state: "output-available", input: null, output: null },
    { state: "output-available", input: "", output: false },
    { state: "output-denied", input: 0, approval: { id: "call-9", approved: false } },
  ];
  return [...bare, ...full].map((state, at) => ({ toolCallId: `call-${at}`, ...state }));
}

/** Messages as applications have them, and with whatever the type allows besides. */
function samples() {
  const text = (value) => ({ type: "text", text: value });
  const message = (role, parts, more) => ({ id: randomUUID(), role, parts, ...more });
  const done = { state: "done", providerMetadata };
  const dynamic = { type: "dynamic-tool", toolName: "mcp/search" };
  const image = "data:image/png;base64,iVBORw0KGgo=";
  return [
    message("system", [text("Be brief.")]),
    message("user", [
      text("What is this?"),
      { type: "file", mediaType: "image/png", url: image },
      { type: "file", mediaType: "image/png", filename: "a dot.png", url: "https://example.org/dot.png" },
      { type: "file", mediaType: "image/png", filename: "", url: image, providerMetadata },
    ]),
    message("assistant", [
      { type: "step-start" },
      { type: "reasoning", text: "Hm." },
      { type: "reasoning", id: "rs_1", text: "", ...done },
      { type: "text", text: "A dot,", ...done },
      { type: "step-start" },
      { type: "text", text: "I think.", state: "streaming" },
      { type: "source-url", sourceId: "1", url: "https://example.org/", title: "Dots" },
      { type: "source-url", sourceId: "2", url: "", providerMetadata },
      { type: "source-document", sourceId: "3", mediaType: "application/pdf", title: "Dots", filename: "d.pdf" },
      { type: "source-document", sourceId: "4", mediaType: "text/plain", title: "", providerMetadata },
      { type: "source-document", sourceId: "5", mediaType: "", title: "Dots" },
    ]),
    message("assistant", toolStates().map((state) => ({ type: "tool-web-search", ...state }))),
    message("assistant", toolStates().map((state) => ({ ...dynamic, ...state }))),
    message("assistant", [{ ...dynamic, dynamic: false, toolCallId: "1", state: "input-available", input }]),
    message("assistant", [
      { type: "data-weather", data: { city: "Zürich", degrees: -3.5 } },
      { type: "data-weather", id: "w1", data: { city: "Zürich" } },
      { type: "data-flag", data: false },
      { type: "data-nothing", data: null },
      { type: "data-", data: 1 },
      { type: "data-text", data: { type: "text", text: "not a text" } },
      { type: "data-text", data: { type: "text" } },
      { type: "data-ui-message", data: { id: "not the rest" } },
    ]),
    message("assistant", []),
    message("user", [text("")]),
    message("user", [text("x")], { metadata: { createdAt: 1763712000000, model: "m", usage: { totalTokens: 3 } } }),
    message("user", [text("x")], { metadata: {} }),
    message("user", [text("x")], { metadata: null }),
    message("user", [text("x")], { metadata: "text" }),
    message("user", [text("x")], { metadata: [1] }),
    { ...message("user", [text("x")]), id: "msg-QkYwM2Fj" },
    { ...message("assistant", [{ type: "text", text: "x", ...done }]), id: "", metadata: {} },
  ];
}

/** A message as the server answers with it: outputs have a type and every field. */
function answered({ id = randomUUID(), role, metadata = {}, parts }) {
  const fields = {
    text: ["text"],
    reasoning: ["text"],
    file: ["mediaType", "filename", "url"],
    tool: ["toolCallId", "toolName", "state", "input", "output", "errorText"],
    sourceUrl: ["sourceId", "url", "title"],
    sourceDocument: ["sourceId", "mediaType", "title", "filename"],
    data: ["name", "data"],
  };
  const part = (given) => {
    const [[kind, value]] = Object.entries(given);
    assert.deepEqual(Object.keys(value).filter((key) => !fields[kind].includes(key)), [], "only known fields");
    const read = { __typename: `${kind[0].toUpperCase()}${kind.slice(1)}Part` };
    for (const key of fields[kind]) read[key] = value[key] ?? null;
    return read;
  };
  return JSON.parse(JSON.stringify({ id, role, metadata: metadata ?? {}, parts: parts.map(part) }));
}

await run("uimessage", async () => {
  const messages = samples();

  step("the messages are what the AI SDK calls messages");
  const validated = await validateUIMessages({ messages });

  step("convert and convert back");
  for (const message of messages) assert.deepEqual(fromScrollback(answered(toScrollback(message))), message);

  step("create a conversation with them");
  const inputs = messages.map(toScrollback);
  const { conversation } = (await post(CREATE, { input: { messages: inputs } })).createConversation;

  step("read them back");
  const { nodes } = (await post(HISTORY, { id: conversation.id })).conversation.messages;
  const restored = nodes.map(fromScrollback);
  for (const [at, message] of messages.entries()) assert.deepEqual(restored[at], message);
  assert.deepEqual(await validateUIMessages({ messages: restored }), validated);

  step("texts are the content, whatever else their parts say");
  assert.equal(nodes[1].content, "What is this?");
  assert.equal(nodes[2].content, "A dot,\n\nI think.");

  step("append one");
  const [message] = samples();
  const appended = await post(APPEND, { input: { conversationId: conversation.id, ...toScrollback(message) } });
  assert.deepEqual(fromScrollback(appended.appendMessage.message), message);

  step("parts that another client wrote are messages of the AI SDK too");
  const tool = { toolCallId: "1", toolName: "search" };
  const calls = ["INPUT_STREAMING", "INPUT_AVAILABLE", "APPROVAL_REQUESTED"];
  const results = ["OUTPUT_AVAILABLE", "OUTPUT_ERROR", "OUTPUT_DENIED"];
  const parts = [
    { sourceUrl: { sourceId: "1", url: "https://example.org/" } },
    { sourceDocument: { sourceId: "2", mediaType: "application/pdf" } },
    { data: { name: "weather", data: 1 } },
    ...[...calls, ...results].map((state) => ({ tool: { ...tool, state } })),
  ];
  const foreign = await post(APPEND, { input: { conversationId: conversation.id, role: "TOOL", parts } });
  await validateUIMessages({ messages: [fromScrollback(foreign.appendMessage.message)] });
});
