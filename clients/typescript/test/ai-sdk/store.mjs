// The messages of chats: what is new is stored once, what changed becomes a branch or an update, files become attachments.

import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { validateUIMessages } from "ai";
import { createChatStore } from "scrollback-client/ai-sdk";
import { connect, failure, httpUrl, newChat, run, step, stored } from "./common.mjs";

const client = connect();
const chats = createChatStore(client);
const user = (id, text) => ({ id, role: "user", parts: [{ type: "text", text }] });
const assistant = (id, ...parts) => ({ id, role: "assistant", parts });
const said = (text) => ({ type: "text", text, state: "done" });

await run("ai-sdk store", async () => {
  step("create a chat, or let the first message create it");
  const made = await chats.createChat({ title: "Made" });
  assert.deepEqual(await chats.loadMessages(made), []);
  assert.deepEqual(await chats.loadMessages(newChat()), []);
  const chatId = `chat ${randomUUID()}`;
  const list = [user("u1", "One"), assistant("a1", said("Two"))];
  await chats.saveMessages({ chatId, messages: list });
  assert.deepEqual(await chats.loadMessages(chatId), list);

  step("a repetition stores nothing");
  const conversations = (await client.conversations({ first: 100 }).page()).nodes;
  const { id } = conversations.find(({ messageCount }) => messageCount === 2);
  const before = await stored(id, "position editedAt");
  await Promise.all([1, 2, 3].map(() => chats.saveMessages({ chatId, messages: list })));
  assert.deepEqual(await stored(id, "position editedAt"), before);

  step("what is new is appended");
  for (let count = 0; count < 120; count++) list.push(count % 2 ? assistant(randomUUID(), said(`${count}`)) : user(`u-${count}`, `${count}`));
  await chats.saveMessages({ chatId, messages: list });
  await chats.saveMessages({ chatId, messages: list.slice(0, 60) });
  assert.deepEqual(await chats.loadMessages(chatId), list);
  assert.equal((await client.conversation(id)).messageCount, 122);

  step("an answer that changed is updated");
  const call = { type: "tool-pay", toolCallId: "c1", input: { amount: 3 } };
  const asking = assistant("a2", { ...call, state: "approval-requested", approval: { id: "ap" } });
  const approved = assistant("a2", { ...call, state: "approval-responded", approval: { id: "ap", approved: true } });
  await chats.saveMessages({ chatId, messages: [...list, user("u2", "Pay"), asking] });
  await chats.saveMessages({ chatId, messages: [...list, user("u2", "Pay"), approved, user("u3", "Done?")] });
  const after = await chats.loadMessages(chatId);
  assert.deepEqual(after.slice(-3), [user("u2", "Pay"), approved, user("u3", "Done?")]);
  const [update] = (await stored(id)).slice(-2);
  assert.equal(update.siblings.length, 1);
  assert.equal(update.parts[0].state, "APPROVAL_RESPONDED");

  step("an edited question and another answer are branches");
  const edited = [user("u1", "One, edited"), assistant("a3", said("Another two"))];
  await chats.saveMessages({ chatId, messages: edited });
  await chats.saveMessages({ chatId, messages: edited });
  assert.deepEqual(await chats.loadMessages(chatId), edited);
  const branch = await stored(id);
  assert.equal(branch[0].siblings.length, 2);
  const regenerated = [edited[0], assistant("a4", said("A third"))];
  await chats.saveMessages({ chatId, messages: regenerated });
  assert.equal((await stored(id))[1].siblings.length, 2);
  assert.deepEqual(await chats.loadMessages(chatId, branch[1].id), edited);
  await client.switchBranch(id, update.id);
  assert.equal((await chats.loadMessages(chatId)).length, 124);

  step("requests with all messages, or with the last one");
  const other = newChat();
  const first = await chats.receiveMessages({ id: other, messages: [user("q", "Hi")], trigger: "submit-message" });
  assert.deepEqual(first, [user("q", "Hi")]);
  await chats.saveMessages({ chatId: other, messages: [...first, assistant("r", said("Hello"))] });
  const second = await chats.receiveMessages({ id: other, message: user("q2", "Bye") });
  assert.deepEqual(second.map(({ id }) => id), ["q", "r", "q2"]);
  const again = { id: other, trigger: "regenerate-message", messageId: "r" };
  assert.deepEqual(await chats.receiveMessages(again), [user("q", "Hi")]);
  const changed = await chats.receiveMessages({ id: other, message: user("q", "Hi!"), messageId: "q" });
  assert.deepEqual(changed, [user("q", "Hi!")]);

  step("messages of one chat can be copied into another");
  const shared = user(randomUUID(), "Shared");
  const [source, copy] = [newChat(), newChat()];
  for (const chat of [source, copy, copy]) await chats.saveMessages({ chatId: chat, messages: [shared] });
  assert.deepEqual(await chats.loadMessages(copy), [shared]);
  assert.deepEqual(await chats.loadMessages(source), [shared]);

  step("users do not see each other's chats, whatever their ids are");
  const bob = createChatStore(connect({ token: process.env.OTHER_TOKEN }));
  const number = `chat-${randomUUID()}`;
  const small = { chatId: number, messages: [shared, user("m", "Mine")] };
  for (const store of [chats, bob, bob]) await store.saveMessages(small);
  for (const store of [chats, bob]) assert.deepEqual(await store.loadMessages(number), small.messages);
  await bob.saveMessages({ chatId: number, messages: [...small.messages, user("n", "More")] });
  assert.equal((await bob.loadMessages(number)).length, 3);
  assert.equal((await chats.loadMessages(number)).length, 2);
  assert.deepEqual(await bob.loadMessages(source), []);
  assert.equal((await failure(bob.saveMessages({ chatId: source, messages: [shared] }))).code, "CONFLICT");

  step("a deleted message stays deleted");
  const [{ id: shareId }] = await stored(copy);
  await client.deleteMessage(shareId);
  await chats.saveMessages({ chatId: copy, messages: [shared] });
  assert.deepEqual(await chats.loadMessages(copy), []);

  step("large files become attachments, and come back as links");
  const bytes = randomBytes(20_000);
  const picture = { type: "file", mediaType: "image/png", filename: "a.png", url: `data:image/png;base64,${bytes.toString("base64")}` };
  const thought = { type: "reasoning-file", mediaType: "image/png", url: picture.url, providerMetadata: { x: { y: 1 } } };
  const files = [{ id: "f", role: "user", parts: [picture] }, assistant("g", thought)];
  const chat = newChat();
  await chats.saveMessages({ chatId: chat, messages: files });
  const [{ parts }] = await stored(chat);
  assert.equal(parts[0].url, `attachment:${parts[0].attachment.id}`);
  const linked = createChatStore(client, { filesFrom: httpUrl });
  const loaded = await linked.loadMessages(chat);
  await validateUIMessages({ messages: loaded });
  assert.deepEqual(loaded.map(({ parts }) => ({ ...parts[0], url: "" })), [{ ...picture, url: "" }, { ...thought, url: "" }]);
  for (const message of loaded) {
    const file = await fetch(message.parts[0].url);
    assert.deepEqual(Buffer.from(await file.arrayBuffer()), bytes);
  }

  step("neither the file nor the link is a change");
  for (const messages of [files, loaded]) await linked.saveMessages({ chatId: chat, messages });
  const unchanged = await stored(chat);
  assert.deepEqual(unchanged.map(({ editedAt, siblings }) => [editedAt, siblings.length]), [[null, 1], [null, 1]]);
  const smaller = { ...files[0], parts: [{ ...picture, url: `data:image/png;base64,${bytes.subarray(1).toString("base64")}` }] };
  await chats.saveMessages({ chatId: chat, messages: [smaller] });
  assert.equal((await stored(chat))[0].siblings.length, 2);

  step("errors of the server are errors");
  const deep = { id: "d", role: "user", parts: [said("x")], metadata: { text: "x".repeat(70_000) } };
  assert.equal((await failure(chats.saveMessages({ chatId: newChat(), messages: [deep] }))).code, "BAD_USER_INPUT");
});
