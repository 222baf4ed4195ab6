// Two tabs of one user: they see the same, and one stops what the other writes.

import assert from "node:assert/strict";
import { Inbox, connect, run, step, transports } from "./common.mjs";

/** What a tab shows, as it follows the changes. */
function open(subscriptions, cursor) {
  const client = connect({ subscriptions });
  const controller = new AbortController();
  const inbox = new Inbox();
  const done = (async () => {
    for await (const change of client.changes({ cursor, signal: controller.signal })) inbox.push(change);
  })().catch((error) => controller.signal.aborted || inbox.fail(error));
  return { client, inbox, close: () => (controller.abort(), done) };
}

await run("tabs", async () => {
  for (const [name, transport] of Object.entries(transports)) {
    const { changeCursor } = await connect().conversations().page();
    const tabs = [open(transport(), changeCursor), open(transport(), changeCursor)];
    const [one, two] = tabs;

    step(`both write at the same time, over ${name}`);
    const { id } = await one.client.createConversation({ title: name });
    const writes = tabs.flatMap(({ client }, tab) =>
      Array.from({ length: 20 }, (_, number) =>
        client.append({ conversationId: id, role: "USER", content: `${tab}: ${number}` })));
    await Promise.all(writes);
    const shown = await Promise.all(tabs.map(({ inbox }) => inbox.until((items) => items.length === 41)));
    // The objects are as they were when each tab got the change; what happened is the same.
    const happened = shown.map((changes) => changes.map(({ __typename, messageId }) => [__typename, messageId]));
    assert.deepEqual(happened[0], happened[1]);
    const history = await two.client.history(id);
    assert.deepEqual(shown[0].slice(1).map(({ message }) => message.id), history.nodes.map((message) => message.id));

    step(`one streams, the other reads along and stops it, over ${name}`);
    const writer = one.client.stream({ conversationId: id }, { flushIntervalMs: 1, heartbeatMs: 20 });
    const changes = await two.inbox.until((items) => items.length === 42);
    assert.deepEqual([changes[41].__typename, changes[41].message.status], ["MessageAdded", "STREAMING"]);
    writer.write("Once upon a time");
    let text = "";
    let status;
    for await (const chunk of two.client.messageText(changes[41].messageId)) {
      if (text === "" && chunk.text !== "") await two.client.stopMessage(changes[41].messageId), void writer.finish();
      text += chunk.text;
      status = chunk.status;
    }
    assert.ok("Once upon a time".startsWith(text) && text !== "");
    await writer.finish();
    assert.ok(["INTERRUPTED", "COMPLETE"].includes(status));
    const updates = await Promise.all(tabs.map(({ inbox }) => inbox.until((items) => items.length === 43)));
    for (const items of updates) assert.equal(items[42].message.status, status);
    await Promise.all(tabs.map((tab) => tab.close()));
    for (const { client } of tabs) client.close();
  }
});
