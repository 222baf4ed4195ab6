// Answers that are stored while they are sent: every chunk comes to every reader, whatever happens to readers and texts.

import assert from "node:assert/strict";
import { createUIMessageStream, readUIMessageStream } from "ai";
import { createChatStore } from "scrollback-client/ai-sdk";
import { connect, newChat, post, run, step, stored } from "./common.mjs";
import { generators } from "./samples.mjs";

const client = connect();
const chats = createChatStore(client);
const replica = createChatStore(connect());
const question = { id: "q", role: "user", parts: [{ type: "text", text: "?" }] };

/** The message that a stream builds, and its chunks. */
async function read(stream) {
  const [one, two] = stream.tee();
  const chunks = [];
  const collecting = (async () => {
    for await (const chunk of one) chunks.push(chunk);
  })();
  let message;
  for await (message of readUIMessageStream({ stream: two }));
  await collecting;
  return { message: JSON.parse(JSON.stringify(message ?? null)), chunks };
}

/** Chunks that the test writes. */
function script() {
  let writer;
  const started = deferred();
  const ended = deferred();
  const execute = ({ abortSignal }) =>
    createUIMessageStream({
      execute: async (options) => {
        writer = options.writer;
        abortSignal.addEventListener("abort", () => ended.resolve("aborted"));
        started.resolve();
        await ended.promise;
      },
    });
  const write = (...chunks) => chunks.forEach((chunk) => writer.write(chunk));
  return { execute, started: started.promise, write, end: () => ended.resolve(), ended: ended.promise };
}

function deferred() {
  let resolve;
  const promise = new Promise((done) => (resolve = done));
  return { promise, resolve };
}

/** Begins an answer in a new chat. */
async function begin(chatId = newChat(), messages = [question]) {
  const said = script();
  let done;
  const waitUntil = (promise) => (done = promise);
  const stream = await chats.resumableStream({ chatId, messages, execute: said.execute, waitUntil });
  await said.started;
  return { chatId, stream, done, ...said };
}

const text = (id, ...deltas) => [
  { type: "text-start", id },
  ...deltas.map((delta) => ({ type: "text-delta", id, delta })),
  { type: "text-end", id },
];

await run("ai-sdk streams", async () => {
  step("chunks of every kind come to a reader at another server");
  const all = await begin();
  const first = read(all.stream);
  const resumed = await replica.resumeStream(all.chatId);
  all.write(
    { type: "start", messageMetadata: { createdAt: 1 } },
    { type: "start-step" },
    { type: "reasoning-start", id: "r" },
    { type: "reasoning-delta", id: "r", delta: "a\0b " },
    { type: "reasoning-end", id: "r", providerMetadata: { x: { signature: "s" } } },
    { type: "custom", kind: "x.y" },
    { type: "file", mediaType: "image/png", url: "data:image/png;base64,AAAA" },
    { type: "reasoning-file", mediaType: "image/png", url: "https://example.org/1" },
    { type: "source-document", sourceId: "s", mediaType: "text/plain", title: "T" },
    { type: "data-progress", id: "p", data: 1 },
    { type: "data-progress", id: "p", data: 2 },
    { type: "data-note", data: "gone", transient: true },
    { type: "tool-input-start", toolCallId: "t", toolName: "look", dynamic: true, title: "Look" },
    { type: "tool-input-delta", toolCallId: "t", inputTextDelta: '{"a":' },
    { type: "tool-input-delta", toolCallId: "t", inputTextDelta: "1}" },
    { type: "tool-input-available", toolCallId: "t", toolName: "look", dynamic: true, input: { a: 1 } },
    { type: "tool-output-available", toolCallId: "t", output: "half", preliminary: true, dynamic: true },
    { type: "tool-output-available", toolCallId: "t", output: "whole", dynamic: true },
    ...text("1", "One ", "half of \ud83d", "\ude00"),
    ...text("2", "two"),
    { type: "finish-step" },
    { type: "finish", finishReason: "stop", messageMetadata: { done: true } },
  );
  all.end();
  const [direct, followed] = await Promise.all([first, read(resumed)]);
  assert.deepEqual(followed.message, direct.message);
  assert.ok(followed.chunks.some(({ transient }) => transient), "transient chunks, too");
  const [, loaded] = await chats.loadMessages(all.chatId);
  const whole = JSON.parse(JSON.stringify(direct.message).replaceAll("\\u0000", "\ufffd"));
  assert.deepEqual(loaded, whole);
  assert.equal((await stored(all.chatId))[1].content, "One half of 😀\n\ntwo");

  step("readers of the API see the text grow");
  const growing = await begin();
  void read(growing.stream);
  growing.write(...text("1", "One"), { type: "text-start", id: "2" }, { type: "text-delta", id: "2", delta: "t" });
  const answer = (await stored(growing.chatId)).at(-1);
  let seen = "";
  for await (const chunk of client.messageText(answer.id)) {
    seen += chunk.text;
    if (seen === "One\n\nt") growing.write({ type: "text-delta", id: "2", delta: "wo" });
    if (seen === "One\n\ntwo") growing.end();
  }
  assert.equal(seen, "One\n\ntwo");

  step("a long answer with large results");
  const long = await begin();
  const longDirect = read(long.stream);
  const early = read(await replica.resumeStream(long.chatId));
  const large = "三😀x\n".repeat(70_000);
  long.write({ type: "data-large", data: large }, ...text("1", "x".repeat(240_000)), ...text("2", "y".repeat(30_000)));
  const late = read(await replica.resumeStream(long.chatId));
  long.write({ type: "data-small", data: 1 });
  long.end();
  const [a, b, c] = await Promise.all([longDirect, early, late]);
  assert.deepEqual(b.message, a.message);
  assert.deepEqual(c.message, a.message);
  assert.deepEqual((await chats.loadMessages(long.chatId)).at(-1), a.message);

  step("a step that is taken back");
  const reset = await begin();
  const resetDirect = read(reset.stream);
  const resetReader = read(await replica.resumeStream(reset.chatId));
  reset.write({ type: "start-step" }, { type: "text-start", id: "1" }, { type: "text-delta", id: "1", delta: "Wrong" });
  while ((await stored(reset.chatId)).at(-1).content !== "Wrong") await post("{ viewer { id } }");
  reset.write({ type: "reset-step" }, ...text("2", "Right"), { type: "finish" });
  reset.end();
  assert.deepEqual((await resetReader).message, (await resetDirect).message);
  const corrected = (await stored(reset.chatId)).at(-1);
  assert.deepEqual([corrected.content, corrected.status], ["Right", "COMPLETE"]);

  step("the answer goes on when its reader goes away");
  const left = await begin();
  await left.stream.cancel();
  left.write(...text("1", "Nobody listens"));
  left.end();
  await left.done;
  const [, unheard] = await stored(left.chatId);
  assert.deepEqual([unheard.status, unheard.content], ["COMPLETE", "Nobody listens"]);

  step("a chat that is deleted meanwhile");
  const deleted = await begin();
  const undisturbed = read(deleted.stream);
  await client.deleteConversation(deleted.chatId);
  deleted.write(...text("1", "Still here"));
  deleted.end();
  assert.equal((await undisturbed).message.parts.at(-1).text, "Still here");
  await deleted.done;

  step("a model that does not hear is cut off");
  const deaf = { chatId: newChat() };
  const endless = () => new ReadableStream({ start: (controller) => text("1", "For ever").slice(0, 2).forEach((chunk) => controller.enqueue(chunk)) });
  const cut = read(await chats.resumableStream({ chatId: deaf.chatId, messages: [question], execute: endless }));
  while (!(await replica.stopStream(deaf.chatId)));
  assert.equal((await cut).chunks.at(-1).type, "abort");
  const ended = (await stored(deaf.chatId)).at(-1);
  assert.deepEqual([ended.content, ended.status], ["For ever", "INTERRUPTED"]);
  assert.equal(await replica.stopStream(deaf.chatId), false);

  step("an answer that could not begin");
  const chatId = newChat();
  const execute = () => {
    throw new Error("no model");
  };
  const broken = await chats.resumableStream({ chatId, messages: [question], execute, onError: ({ message }) => message });
  const { chunks } = await read(broken);
  assert.equal(chunks.at(-1).errorText, "no model");
  assert.equal((await stored(chatId)).at(-1).status, "FAILED");
  assert.deepEqual(await chats.loadMessages(chatId), [question]);

  step("an answer that another program writes");
  const conversation = await client.createConversation({ messages: [{ role: "USER", content: "?" }] });
  const writer = client.stream({ conversationId: conversation.id });
  await writer.opened;
  writer.write("Once ");
  const foreign = read(await replica.resumeStream(conversation.id));
  writer.write("upon");
  await writer.finish();
  assert.equal((await foreign).message.parts.at(-1).text, "Once upon");

  step("logs are in no list and no search, and are removed");
  const trash = (await client.conversations({ first: 100, filter: { trashed: true } }).page()).nodes;
  const logs = trash.filter(({ metadata }) => metadata.scrollback === "stream-events");
  assert.ok(logs.length > 5);
  for (const { expiresAt } of logs) assert.ok(new Date(expiresAt) - Date.now() < 24 * 3_600_001);
  assert.ok(logs.some(({ expiresAt }) => new Date(expiresAt) - Date.now() < 600_001));
  const found = (await client.search("signature").page()).nodes;
  assert.deepEqual(found, []);
  const visible = (await client.conversations({ first: 100, filter: { archived: null } }).page()).nodes;
  assert.ok(visible.every(({ metadata }) => !metadata.scrollback));

  step("a message that goes on is replayed as it is");
  for (let seed = 1; seed <= 40; seed++) {
    const message = generators(seed).message();
    if (message.role !== "assistant" || message.parts.some(({ type }) => type === "file")) continue;
    const id = newChat();
    const messages = [question, message];
    const more = await begin(id, messages);
    const directly = read(more.stream);
    const again = read(await replica.resumeStream(id));
    more.write({ type: "start" }, { type: "start-step" }, ...text("more", "More"), { type: "finish" });
    more.end();
    await directly;
    const replayed = (await again).message;
    assert.equal(replayed.id, message.id);
    assert.deepEqual(replayed.parts.slice(-2), [{ type: "step-start" }, { type: "text", text: "More", state: "done" }]);
    const after = (await chats.loadMessages(id)).at(-1);
    assert.deepEqual(after.parts.slice(0, -2), message.parts, "what is stored is exact");
  }
});
