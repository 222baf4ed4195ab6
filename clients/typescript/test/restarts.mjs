// The server is killed and started again, five times: who prints `restart` is the one who has to do it, and the file
// TARGET has the URL of the server that runs.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createOutbox, webStorage } from "scrollback-client";
import { Inbox, Network, assertConsecutive, connect, run, step, transports } from "./common.mjs";

const { TARGET } = process.env;
const target = () => readFileSync(TARGET, "utf8");
const values = new Map();
const storage = {
  get length() { return values.size; },
  key: (index) => [...values.keys()][index] ?? null,
  getItem: (key) => values.get(key) ?? null,
  setItem: (key, value) => values.set(key, value),
  removeItem: (key) => values.delete(key),
};

/** Has the server killed, and started again. */
async function restart() {
  const before = target();
  console.log("restart");
  while (target() === before) await new Promise((resolve) => setTimeout(resolve, 5));
}

await run("restarts", async () => {
  const network = new Network(target);
  const url = await network.listen("http");
  const retry = { minDelayMs: 10, maxDelayMs: 100, attempts: 1000 };
  const writing = connect({ url, retry });
  const { id } = await writing.createConversation({ messages: [{ role: "SYSTEM", content: "start" }] });
  const outbox = createOutbox(writing, { storage: webStorage(storage, "ada."), retry });

  step("readers with every transport");
  const readers = Object.values(transports).map((transport) => {
    const client = connect({ url, retry, subscriptions: transport() });
    const inbox = new Inbox();
    (async () => {
      const { pageInfo } = await client.history(id, { first: 1 });
      for await (const { node } of client.follow(id, { cursor: pageInfo.endCursor })) inbox.push(node);
    })().catch((error) => inbox.fail(error));
    return { client, inbox };
  });

  step("a writer, a text that streams, and an outbox, while the server dies again and again");
  const stream = writing.stream({ conversationId: id }, { flushIntervalMs: 1, attempts: 1000 });
  let text = "";
  const readText = async () => {
    let read = "";
    for await (const chunk of readers[0].client.messageText(stream.id)) read += chunk.text;
    return read;
  };
  await stream.opened;
  const reading = readText();
  const sent = [];
  for (let round = 1; round <= 5; round++) {
    const appends = Array.from({ length: 5 }, (_, number) =>
      writing.append({ conversationId: id, role: "USER", content: `${round}: ${number}` }));
    const queued = outbox.append({ conversationId: id, role: "USER", content: `${round}: queued` });
    for (let number = 0; number < 5; number++) {
      const piece = `${round}.${number} é👍 `;
      text += piece;
      stream.write(piece);
    }
    await restart();
    sent.push(...(await Promise.all(appends)).map(({ id }) => id), (await queued).message.id);
  }
  await outbox.flush();
  const message = await stream.finish();
  assert.equal(message.content, text);
  assert.equal(await reading, text);

  step("everything is stored once, and the readers have it in order");
  const stored = [];
  for await (const message of writing.messages(id)) stored.push(message);
  assertConsecutive(stored);
  assert.equal(stored.length, 2 + sent.length);
  assert.deepEqual(new Set(stored.slice(1).map(({ id }) => id)), new Set([stream.id, ...sent]));
  for (const { inbox } of readers) {
    const items = await inbox.until((items) => items.length >= stored.length - 1);
    assert.deepEqual(items.map(({ id }) => id), stored.slice(1).map(({ id }) => id));
  }
});
