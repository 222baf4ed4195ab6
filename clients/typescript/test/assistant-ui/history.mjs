// Histories of assistant-ui: messages of every kind come back equal, with branches, in formats, and from other clients.

import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { createHistoryAdapter } from "scrollback-client/assistant-ui";
import { connect, failure, httpUrl, run, step, stored } from "../ai-sdk/common.mjs";

const client = connect();

/** A thread that is created when it is first written to. */
function thread() {
  let remoteId;
  const initialize = async () => {
    remoteId ??= (await client.createConversation({ title: "A thread" })).id;
    return { remoteId };
  };
  return { getState: () => ({ remoteId }), initialize };
}

const createdAt = new Date("2026-11-29T10:00:00.123Z");
const userLists = { custom: {} };
const lists = { unstable_state: null, unstable_annotations: [], unstable_data: [], steps: [], custom: { model: "m" } };
const asked = (id, content, more = {}) => ({ id, role: "user", createdAt, content, attachments: [], metadata: userLists, ...more });
const answered = (id, content, more = {}) => ({
  id, role: "assistant", createdAt, content, status: { type: "complete", reason: "stop" }, metadata: lists, ...more,
});
const text = (value, more) => ({ type: "text", text: value, ...more });
const tool = (id, more) => ({ type: "tool-call", toolCallId: id, toolName: "look", args: { a: 1 }, argsText: '{"a":1}', ...more });
const png = "data:image/png;base64,iVBORw0KGgo=";
const attachment = { id: "at", type: "image", name: "a.png", contentType: "image/png", status: { type: "complete" } };

const EVERY_PART = [
  text("Hello", { id: "p1", providerMetadata: { x: { y: 1 } } }),
  text(""),
  { type: "reasoning", text: "Hm.", timing: { startedAt: 1 } },
  tool("1"),
  tool("2", { result: { found: true }, artifact: [1], modelContent: [text("x")] }),
  tool("3", { result: "broken", isError: true }),
  tool("4", { result: 0, isError: false, isPreliminary: true }),
  tool("5", { approval: { id: "a" } }),
  tool("6", { approval: { id: "a", approved: true, reason: "fine" }, interrupt: { type: "human", payload: 1 } }),
  tool("7", { messages: [answered("nested", [text("sub")])] }),
  { type: "source", sourceType: "url", id: "s", url: "https://example.org/", title: "T", parentId: "p" },
  { type: "source", sourceType: "url", id: "s", url: "https://example.org/" },
  { type: "source", sourceType: "document", id: "d", title: "T", mediaType: "text/plain", filename: "t.txt" },
  { type: "file", data: "aGk=", mimeType: "text/plain", filename: "hi.txt" },
  { type: "file", data: png, mimeType: "image/png" },
  { type: "file", data: "file-1", mimeType: "application/pdf", sourceType: "id" },
  { type: "image", image: png, filename: "dot.png", providerMetadata: { x: {} } },
  { type: "image", image: "https://example.org/dot.png" },
  { type: "data", name: "weather", data: { city: "Oslo" }, id: "w" },
  { type: "data", name: "nothing", data: null },
  { type: "generative-ui", spec: { root: { component: "Card", children: ["x"] } } },
];

/** What JSON makes of messages: dates are texts, and there is no `undefined`. */
const plain = (value) => JSON.parse(JSON.stringify(value));

await run("assistant-ui history", async () => {
  step("a thread that does not exist yet is empty");
  const item = thread();
  const history = createHistoryAdapter(client, () => item);
  assert.deepEqual(await history.load(), { headId: null, messages: [] });
  await history.delete([{ message: asked("none", []), parentId: null }]);

  step("every part of every role");
  const question = asked("q1", [text("What?"), { type: "audio", audio: { data: "AAAA", format: "mp3" } }], {
    attachments: [
      { ...attachment, content: [{ type: "image", image: png }, text("caption")] },
      { ...attachment, id: "second", content: [{ type: "file", data: "aGk=", mimeType: "text/plain" }] },
    ],
    metadata: { custom: { color: "red" } },
  });
  const incomplete = { type: "incomplete", reason: "error", error: { code: 1 } };
  const entries = [
    { message: { id: "s1", role: "system", createdAt, content: [text("Be brief.")], metadata: { custom: {} } }, parentId: null },
    { message: question, parentId: "s1", runConfig: { custom: { model: "m" } } },
    { message: answered("a1", EVERY_PART), parentId: "q1" },
    { message: answered("a2", [], { status: incomplete }), parentId: "q1" },
    { message: asked(randomUUID(), [text("And?")]), parentId: "a1" },
  ];
  for (const entry of entries) await history.append(entry);
  const loaded = await history.load();
  assert.deepEqual(plain(loaded.messages), plain(entries));
  assert.ok(loaded.messages.every(({ message }) => message.createdAt instanceof Date));
  assert.equal(loaded.headId, entries[4].message.id);
  const id = item.getState().remoteId;
  const [, , { content, siblings }] = await stored(id);
  assert.equal(content, "Hello");
  assert.equal(siblings.length, 2);

  step("a repetition changes nothing, an update does");
  for (const entry of entries) await history.append(entry);
  assert.deepEqual(plain((await history.load()).messages), plain(entries));
  const updated = { ...entries[3], message: answered("a2", [text("Done.")]) };
  await history.update(updated);
  await history.update({ message: answered("a3", [text("New")]), parentId: "q1" });
  const after = plain((await history.load()).messages);
  assert.deepEqual(after[3], plain(updated));
  assert.equal(after[5].message.id, "a3");

  step("successors of a deleted message follow the one before it");
  await history.delete([entries[2]]);
  await history.delete([entries[2]]);
  const left = await history.load();
  const found = left.messages.find(({ message }) => message.id === entries[4].message.id);
  assert.equal(found.parentId, "q1");
  assert.equal(left.messages.length, 5);

  step("messages are written in the order in which they are given, though nobody waits");
  let running = 0;
  let most = 0;
  const counted = async (...request) => {
    most = Math.max(most, ++running);
    return fetch(...request).finally(() => running--);
  };
  const quick = thread();
  const inOrder = createHistoryAdapter(connect({ fetch: counted }), () => quick);
  const row = Array.from({ length: 20 }, (_, at) => ({ message: asked(`r${at}`, [text(`${at}`)]), parentId: at ? `r${at - 1}` : null }));
  const writes = row.map((entry) => inOrder.append(entry));
  writes.push(inOrder.update({ ...row[19], message: asked("r19", [text("The end.")]) }));
  assert.equal((await failure(inOrder.append({ message: asked("lost", [text("?")]), parentId: "nowhere" }))).code, "NOT_FOUND");
  await Promise.all([...writes, inOrder.delete([row[3]])]);
  const inRow = await inOrder.load();
  assert.deepEqual(inRow.messages.map(({ message }) => message.id), row.map(({ message }) => message.id).filter((id) => id !== "r3"));
  assert.deepEqual([inRow.headId, inRow.messages.at(-1).message.content], ["r19", [text("The end.")]]);
  assert.equal(most, 1);

  step("first messages of several branches");
  const roots = thread();
  const branching = createHistoryAdapter(client, () => roots);
  for (let count = 0; count < 130; count++) {
    const parentId = count % 13 ? `m${count - 1}` : null;
    await branching.append({ message: asked(`m${count}`, [text(`${count}`)]), parentId });
  }
  await client.switchBranch(roots.getState().remoteId, (await stored(roots.getState().remoteId))[0].id);
  const forest = await branching.load();
  assert.equal(forest.messages.length, 130);
  assert.equal(forest.messages.filter(({ parentId }) => parentId === null).length, 10);
  assert.equal(forest.headId, "m117");
  await branching.delete([{ message: { id: "m0" } }, { message: { id: "m129" } }]);
  assert.equal((await branching.load()).messages.length, 128);

  step("large files become attachments, and come back as links");
  const files = thread();
  const own = createHistoryAdapter(client, () => files, { filesFrom: httpUrl });
  const bytes = randomBytes(20_000);
  const image = { type: "image", image: `data:image/png;base64,${bytes.toString("base64")}` };
  await own.append({ message: asked("f", [], { attachments: [{ ...attachment, content: [image] }] }), parentId: null });
  const [{ message: withFile }] = (await own.load()).messages;
  const link = withFile.attachments[0].content[0].image;
  assert.deepEqual(Buffer.from(await (await fetch(link)).arrayBuffer()), bytes);
  await own.update({ message: withFile, parentId: null });
  const [{ parts }] = await stored(files.getState().remoteId);
  assert.equal(parts[0].url, `attachment:${parts[0].attachment.id}`);

  step("other formats are kept as they are, and are searched");
  const format = {
    format: "langchain",
    encode: ({ message: { id: _, ...content } }) => content,
    decode: ({ id, parent_id, content }) => ({ parentId: parent_id, message: { id, ...content } }),
    getId: ({ id }) => id,
  };
  const others = thread();
  const chain = createHistoryAdapter(client, () => others).withFormat(format);
  chain.pin();
  const human = { parentId: null, message: { id: "h", type: "human", content: "Where is the lighthouse?", nested: [null, 1.5] } };
  const ai = { parentId: "h", message: { id: "i", type: "ai", content: [{ type: "text", text: "There" }] } };
  for (const entry of [human, ai, human]) await chain.append(entry);
  assert.deepEqual((await chain.load()).messages, [human, ai]);
  await chain.update({ ...ai, message: { ...ai.message, content: "Here" } });
  assert.equal((await chain.load()).messages[1].message.content, "Here");
  const rows = await stored(others.getState().remoteId);
  assert.deepEqual(rows.map(({ role, content }) => [role, content]), [["USER", "Where is the lighthouse?"], ["ASSISTANT", "Here"]]);
  await chain.delete([ai]);
  assert.equal((await chain.load()).messages.length, 1);

  step("messages of other clients are messages of assistant-ui");
  const { id: foreignId } = await client.createConversation({
    messages: [
      { role: "USER", content: "Hi" },
      { role: "TOOL", parts: [{ tool: { toolCallId: "1", toolName: "t", state: "OUTPUT_ERROR", errorText: "no" } }, { custom: { kind: "step-start", data: {} } }] },
    ],
  });
  const foreign = createHistoryAdapter(client, () => ({ getState: () => ({ remoteId: foreignId }) }));
  const [hi, call] = (await foreign.load()).messages;
  assert.deepEqual(hi.message.content, [text("Hi")]);
  assert.deepEqual(call.message.content, [
    { type: "tool-call", toolCallId: "1", toolName: "t", args: {}, argsText: "{}", result: "no", isError: true },
  ]);
  const gone = createHistoryAdapter(client, () => ({ getState: () => ({ remoteId: randomUUID() }) }));
  assert.equal((await failure(gone.load())).code, "NOT_FOUND");
});
