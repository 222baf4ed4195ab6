// The server keeps changes for a second here: who was away for longer reads again.

import assert from "node:assert/strict";
import { Inbox, Network, connect, failure, run, step, transports } from "./common.mjs";

/** Waits until the server has deleted the changes after a cursor. */
async function untilExpired(client, cursor) {
  for (;;) {
    const query = "query ($after: String) { changes(after: $after, first: 1) { endCursor } }";
    const error = await client.query(query, { after: cursor }).then(() => null, (error) => error);
    if (error?.code === "CURSOR_EXPIRED") return;
    assert.equal(error, null);
    // Something must come after what is deleted.
    await client.createConversation({ title: "later" });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

await run("cursor-expired", async () => {
  const direct = connect();
  for (const [name, transport] of Object.entries(transports)) {
    const network = new Network();
    const client = connect({ url: await network.listen("http"), subscriptions: transport() });
    const { changeCursor } = await direct.conversations().page();

    step(`follow over ${name}, then be away for too long`);
    const inbox = new Inbox();
    const seen = [];
    const onCursorExpired = async (error) => {
      assert.equal(error.code, "CURSOR_EXPIRED");
      const page = await client.conversations({ first: 100 }).page();
      seen.push(...page.nodes.map(({ id }) => id));
      return page.changeCursor;
    };
    const done = (async () => {
      for await (const change of client.changes({ cursor: changeCursor, onCursorExpired })) inbox.push(change);
    })();
    done.catch((error) => inbox.fail(error));
    const before = await direct.createConversation({ title: "before" });
    const [change] = await inbox.until((items) => items.length === 1);
    assert.equal(change.conversationId, before.id);
    network.refusing = true;
    network.cut();
    const missed = await direct.createConversation({ title: "missed" });
    await untilExpired(direct, change.cursor);
    network.refusing = false;

    step(`the application has read again, and the iteration goes on over ${name}`);
    let last;
    while (seen.length === 0) last = await direct.createConversation({ title: "meanwhile" });
    assert.ok(seen.includes(missed.id));
    last = await direct.createConversation({ title: "last" });
    await inbox.until((items) => items.some(({ conversationId }) => conversationId === last.id));

    step(`without a function it is an error over ${name}`);
    assert.equal((await failure(client.changes({ cursor: change.cursor }).next())).code, "CURSOR_EXPIRED");
    client.close();
  }
});
