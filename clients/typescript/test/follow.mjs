// Following messages, changes and texts over a network that breaks, with the transport TRANSPORT.

import assert from "node:assert/strict";
import {
  Inbox, Network, append, assertConsecutive, breakOften, connect, create, failure, nowhere, remove, run, sending, step,
  transports,
} from "./common.mjs";

/** Collects what an iterable gives. `done` settles when it ends. */
function collect(iterable, map = (item) => item) {
  const inbox = new Inbox();
  const done = (async () => {
    for await (const item of iterable) inbox.push(map(item));
  })();
  done.catch((error) => inbox.fail(error));
  return { inbox, done };
}

async function messages(network, client) {
  const { id, cursor } = await create();
  let interruptions = 0;
  const following = client.follow(id, { cursor, onInterruption: () => (interruptions += 1) });
  const { inbox, done } = collect(following, ({ node: { id, position } }) => ({ id, position }));
  const sender = sending(id, inbox);
  network.connections = 0;
  await breakOften(network, sender);
  assert.deepEqual(inbox.items, sender.sent, "everything arrived once, in order");
  assertConsecutive(inbox.items);
  assert.ok(interruptions >= 6, "the application knows of interruptions");

  step("it ends when the conversation is deleted, also while nobody answers");
  await remove(id);
  await done;
  const other = await create();
  const second = collect(client.follow(other.id, { cursor: other.cursor }));
  await append(other.id, "one");
  await second.inbox.until((items) => items.length === 1);
  network.refusing = true;
  network.cut();
  await remove(other.id);
  network.refusing = false;
  await second.done;

  step("a conversation that does not exist is an error");
  assert.equal((await failure(client.follow(nowhere).next())).code, "NOT_FOUND");
  assert.equal((await failure(client.follow(other.id, { cursor: other.cursor }).next())).code, "NOT_FOUND");
  assert.equal((await failure(client.follow((await create()).id, { cursor: "nonsense" }).next())).code, "BAD_USER_INPUT");
}

async function withoutCursor(network, client) {
  step("follow an empty conversation; the connection breaks before its first message");
  const { id } = await client.createConversation();
  const { inbox, done } = collect(client.follow(id), ({ node }) => node.content);
  for (let number = 0; number < 5; number++) await append((await create()).id, "time passes");
  network.refusing = true;
  network.cut();
  await append((await create()).id, "elsewhere");
  await append(id, "first");
  await append(id, "second");
  network.refusing = false;
  await inbox.until((items) => items.length === 2);
  assert.deepEqual(inbox.items, ["first", "second"]);
  await remove(id);
  await done;

  step("without a cursor it begins after the last message");
  const other = await create();
  const later = client.follow(other.id);
  const next = later.next();
  for (const content of ["a", "b", "c"]) await append(other.id, content);
  const { value } = await next;
  assert.ok(value.node.position > 1, "the message before is not shown");
  await later.return();
}

async function changes(network, client) {
  const { changeCursor: cursor } = await client.conversations().page();
  const { id } = await client.createConversation({ title: "one" });
  const { inbox, done } = collect(client.changes({ cursor }), (change) => change);
  const controller = new AbortController();
  const live = collect(client.changes({ signal: controller.signal }));
  for (let round = 1; round <= 5; round++) {
    const before = inbox.items.length;
    await client.append({ conversationId: id, role: "USER", content: `round ${round}` });
    await inbox.until((items) => items.length > before);
    network.cut();
    await client.updateConversation({ id, title: `title ${round}` });
  }
  await client.deleteConversation(id);
  await inbox.until((items) => items.at(-1)?.__typename === "ConversationDeleted");
  const rounds = Array.from({ length: 5 }, () => ["MessageAdded", "ConversationUpdated"]).flat();
  assert.deepEqual(
    inbox.items.map(({ __typename }) => __typename),
    ["ConversationCreated", ...rounds, "ConversationDeleted"],
  );
  assert.equal(new Set(inbox.items.map(({ cursor }) => cursor)).size, 12);

  step("a signal ends it with its reason");
  const reason = new Error("the page was closed");
  controller.abort(reason);
  assert.equal(await failure(live.done), reason);
  void done;
}

async function text(network, client, direct) {
  const { id } = await create();
  const writer = direct.stream({ conversationId: id }, { flushIntervalMs: 1 });
  await writer.opened;
  const chunks = [];
  const reading = (async () => {
    for await (const chunk of client.messageText(writer.id)) {
      chunks.push(chunk);
      network.cut();
    }
  })();
  let expected = "";
  for (let number = 0; number < 30; number++) {
    const piece = `${number}: é👍 `;
    expected += piece;
    writer.write(piece);
    if (number % 3 === 0) await append(id, "time passes");
  }
  await writer.finish();
  await reading;
  assert.equal(chunks.map(({ text }) => text).join(""), expected, "each piece once");
  assert.equal(chunks.at(-1).status, "COMPLETE");

  step("from an offset, after the end");
  const rest = [];
  for await (const chunk of client.messageText(writer.id, { offset: 4 })) rest.push(chunk);
  assert.deepEqual(rest, [{ offset: 4, text: [...expected].slice(4).join(""), status: "COMPLETE" }]);
}

async function slowConsumer(network, client) {
  const { id, cursor } = await create();
  const codes = [];
  const onInterruption = ({ code }) => codes.push(code);
  const { inbox } = collect(client.follow(id, { cursor, onInterruption }), ({ node: { id, position } }) => ({ id, position }));
  const { sent, send, received } = sending(id, inbox);
  await send("first");
  await received();
  network.hold();
  for (let number = 0; number < 80; number++) await send("x".repeat(150 * 1024));
  network.release();
  await received();
  assert.deepEqual(inbox.items, sent);
  assert.deepEqual(codes, ["SLOW_CONSUMER"]);
  await remove(id);
}

await run("follow", async () => {
  const name = process.env.TRANSPORT;
  const network = new Network();
  const client = connect({ url: await network.listen("http"), subscriptions: transports[name]() });
  step(`messages over ${name}`);
  await messages(network, client);
  await withoutCursor(network, client);
  step(`changes over ${name}`);
  await changes(network, client);
  step(`text over ${name}`);
  await text(network, client, connect());
  step(`who does not keep up over ${name}`);
  await slowConsumer(network, client);
  client.close();
});
