// Messages of the AI SDK go into Scrollback and come back equal, whatever they contain.

import assert from "node:assert/strict";
import { convertToModelMessages, validateUIMessages } from "ai";
import { InvalidTextError, createChatStore, fromScrollback, toScrollback } from "scrollback-client/ai-sdk";
import { connect, newChat, post, run, step, stored } from "./common.mjs";
import { everyPart, generators } from "./samples.mjs";

const COUNT = Number(process.env.COUNT ?? 150);

const client = connect();
const chats = createChatStore(client);

/** What the SDK makes of messages for a model. Tools that are not known here stay as they are. */
const forModel = (messages) => convertToModelMessages(messages, { convertDataPart: ({ data }) => ({ type: "text", text: JSON.stringify(data) }) });

await run("conversion", async () => {
  step("every kind of part");
  const chatId = newChat();
  const all = everyPart();
  await validateUIMessages({ messages: [all] });
  await chats.saveMessages({ chatId, messages: [all] });
  assert.deepEqual(await chats.loadMessages(chatId), [all]);

  step("random messages are equal for the program, for validateUIMessages and for convertToModelMessages");
  for (let seed = 1; seed <= COUNT; ) {
    const id = newChat();
    const messages = [];
    for (; messages.length < 50 && seed <= COUNT; seed++) messages.push(generators(seed).message());
    const validated = await validateUIMessages({ messages });
    await chats.saveMessages({ chatId: id, messages });
    const loaded = await chats.loadMessages(id);
    assert.deepEqual(loaded, messages);
    assert.deepEqual(await validateUIMessages({ messages: loaded }), validated);
    assert.deepEqual(await forModel(loaded), await forModel(messages));
    await chats.saveMessages({ chatId: id, messages: loaded });
    assert.equal((await stored(id)).length, messages.length, "nothing was stored twice");
  }

  step("parts have their types in the API, and the rest beside them");
  const [message] = await stored(chatId);
  const types = new Set(message.parts.map(({ __typename }) => __typename));
  const kinds = ["Text", "Reasoning", "File", "Tool", "SourceUrl", "SourceDocument", "Data", "Custom"];
  assert.deepEqual([...types].sort(), kinds.map((kind) => `${kind}Part`).sort());
  assert.ok(message.parts.some(({ state }) => state === "APPROVAL_RESPONDED"));
  assert.ok(message.parts.some(({ extra }) => extra?.providerMetadata));

  step("kinds of tomorrow are kept as they are");
  const future = { type: "hologram", frames: [1, { depth: null }], providerMetadata: { x: {} } };
  const tomorrow = { id: "t", role: "assistant", parts: [future, { type: "text", text: "x" }] };
  const other = newChat();
  await chats.saveMessages({ chatId: other, messages: [tomorrow] });
  assert.deepEqual(await chats.loadMessages(other), [tomorrow]);

  step("NUL and lone surrogates are replaced");
  const bad = { id: "bad", role: "user", parts: [{ type: "text", text: "a\0b\ud800c😀" }, { type: "data-x", data: { "\0": ["\udfff"] } }] };
  const replaced = newChat();
  await chats.saveMessages({ chatId: replaced, messages: [bad] });
  const parts = [{ type: "text", text: "a\ufffdb\ufffdc😀" }, { type: "data-x", data: { "\ufffd": ["\ufffd"] } }];
  assert.deepEqual(await chats.loadMessages(replaced), [{ ...bad, parts }]);
  await chats.saveMessages({ chatId: replaced, messages: [bad] });
  assert.equal((await stored(replaced)).length, 1, "the replaced message is the same message");

  step("or refused");
  const strict = createChatStore(client, { invalidText: "refuse" });
  await assert.rejects(strict.saveMessages({ chatId: newChat(), messages: [bad] }), (error) => {
    assert.ok(error instanceof InvalidTextError);
    return /parts\[0\]\.text/.test(error.message);
  });

  step("parts that other clients wrote are messages of the AI SDK");
  const tool = { toolCallId: "1", toolName: "search" };
  const states = ["INPUT_STREAMING", "INPUT_AVAILABLE", "APPROVAL_REQUESTED", "APPROVAL_RESPONDED"];
  states.push("OUTPUT_AVAILABLE", "OUTPUT_ERROR", "OUTPUT_DENIED");
  const foreign = [
    { sourceUrl: { sourceId: "1", url: "https://example.org/" } },
    { sourceDocument: { sourceId: "2", mediaType: "application/pdf" } },
    { data: { name: "weather", data: 1 } },
    { custom: { kind: "web_search_call", data: { id: "ws_1" } } },
    { custom: { kind: "list", data: [1] } },
    ...states.map((state) => ({ tool: { ...tool, state } })),
  ];
  const conversation = await client.createConversation({ messages: [{ role: "TOOL", parts: foreign }, { role: "USER", content: "x" }] });
  await validateUIMessages({ messages: await chats.loadMessages(conversation.id) });

  step("the result of a tool that returns nothing is null when it comes back");
  const nothing = { type: "tool-log", toolCallId: "1", state: "output-available", input: {}, output: undefined };
  const silent = newChat();
  await chats.saveMessages({ chatId: silent, messages: [{ id: "n", role: "assistant", parts: [nothing] }] });
  const [{ parts: [log] }] = await validateUIMessages({ messages: await chats.loadMessages(silent) });
  assert.deepEqual(log, { ...nothing, output: null });

  step("convert without a store");
  const input = await toScrollback(conversation.id, { id: "u", role: "user", parts: [{ type: "text", text: "x" }] });
  assert.deepEqual(input.metadata, { uiMessage: { id: "u" } });
  await post("mutation ($input: AppendMessageInput!) { appendMessage(input: $input) { message { id } } }", {
    input: { conversationId: conversation.id, ...input },
  });
  assert.equal(fromScrollback((await stored(conversation.id)).at(-1)).id, "u");
});
