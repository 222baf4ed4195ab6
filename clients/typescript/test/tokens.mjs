// Tokens that expire while the client follows: it asks for another one, and misses nothing.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { append, connect, create, failure, run, sending, Inbox, step, transports } from "./common.mjs";

const { SECRET } = process.env;

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A token that expires in so many seconds. */
function sign(seconds, sub = "ada") {
  const payload = `${encode({ alg: "HS256", typ: "JWT" })}.${encode({ sub, exp: Math.floor(Date.now() / 1000) + seconds })}`;
  return `${payload}.${createHmac("sha256", SECRET).update(payload).digest("base64url")}`;
}

await run("tokens", async () => {
  for (const [name, transport] of Object.entries(transports)) {
    step(`tokens expire again and again over ${name}`);
    const { id, cursor } = await create();
    let issued = 0;
    let current;
    // As an application does: it keeps its token until the server does not accept it.
    const token = ({ rejected }) => {
      if (!current || current === rejected) (current = sign(2)), (issued += 1);
      return current;
    };
    const interruptions = [];
    const client = connect({ token, subscriptions: transport() });
    const inbox = new Inbox();
    const done = (async () => {
      const onInterruption = ({ code }) => interruptions.push(code);
      for await (const { node } of client.follow(id, { cursor, onInterruption })) inbox.push({ id: node.id, position: node.position });
    })();
    done.catch((error) => inbox.fail(error));
    const { sent, send, received } = sending(id, inbox);
    while (issued < 3) {
      await send("a message");
      await received();
    }
    await send("the last message");
    await received();
    assert.deepEqual(inbox.items, sent);

    step(`a token that the server never accepts ends the iteration over ${name}`);
    for (const wrong of ["wrong", () => "wrong", () => sign(-60)]) {
      const refused = connect({ token: wrong, subscriptions: transport() }).follow(id, { cursor });
      assert.equal((await failure(refused.next())).code, "UNAUTHENTICATED");
    }

    step(`a token that cannot be had for a while over ${name}`);
    let attempts = 0;
    const flaky = () => {
      attempts += 1;
      if (attempts < 4) throw new Error("the identity provider is away");
      return sign(60);
    };
    const patient = connect({ token: flaky, subscriptions: transport() }).follow(id, { cursor });
    assert.equal((await patient.next()).value.node.id, sent[0].id);
    await patient.return();
    client.close();
    await append(id, "unheard");

    step(`two users with one transport are kept apart over ${name}`);
    const subscriptions = transport();
    const [ada, bob] = ["ada", "bob"].map((user) => connect({ token: sign(60, user), subscriptions }));
    const own = ada.follow(id, { cursor });
    assert.equal((await own.next()).value.node.id, sent[0].id);
    assert.equal((await failure(bob.follow(id, { cursor }).next())).code, "NOT_FOUND");
    const { id: bobs } = await bob.createConversation({ messages: [{ role: "USER", content: "mine" }] });
    const { changeCursor } = await bob.conversations().page();
    const changes = bob.changes({ cursor: changeCursor });
    await bob.append({ conversationId: bobs, role: "USER", content: "more" });
    await ada.append({ conversationId: id, role: "USER", content: "hers" });
    assert.equal((await changes.next()).value.conversationId, bobs);
    bob.close();
    assert.equal((await own.next()).value.node.id, sent[1].id, "the other client goes on");
    await Promise.all([own.return(), changes.return()]);
    ada.close();
  }
});
