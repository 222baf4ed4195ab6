// graphql-sse in distinct connections mode, over a network that breaks.

import assert from "node:assert/strict";
import { NetworkError, createClient } from "graphql-sse";
import { Inbox, assertConsecutive, authorization, httpUrl, nowhere, run, step } from "./common.mjs";
import { Network, append, breakOften, create, remove, sending } from "./network.mjs";

const FOLLOW = `subscription ($id: ID!, $after: String) {
  messageAdded(conversationId: $id, after: $after) { cursor node { id position } }
}`;

/** A client that tries again soon, and as often as it takes. */
const connect = (url) => createClient({
  url,
  headers: authorization,
  retryAttempts: Infinity,
  retry: () => new Promise((resolve) => setTimeout(resolve, 20)),
});

/** Everything that an operation gives. */
async function all(client, query, variables) {
  const results = [];
  for await (const result of client.iterate({ query, variables })) results.push(result);
  return results;
}

await run("sse", async () => {
  const direct = connect(httpUrl);

  step("a query is one result");
  assert.deepEqual(await all(direct, "{ viewer { id } }"), [{ data: { viewer: { id: "ada" } } }]);

  step("refused operations are reported");
  for (const [query, code] of [["{", "GRAPHQL_PARSE_FAILED"], ["{ nothing }", "GRAPHQL_VALIDATION_FAILED"]]) {
    const [{ data, errors }] = await all(direct, query);
    assert.equal(data, undefined);
    assert.equal(errors[0].extensions.code, code);
  }
  const [{ errors }] = await all(direct, FOLLOW, { id: nowhere });
  assert.equal(errors[0].extensions.code, "NOT_FOUND");

  step("who is not known is refused");
  const unknown = createClient({ url: httpUrl, retryAttempts: 0 });
  await assert.rejects(all(unknown, "{ viewer { id } }"), (error) => {
    return error instanceof NetworkError && error.response.status === 401;
  });

  step("follow over a network that breaks");
  const network = new Network();
  const client = connect(await network.listen("http"));
  const { id, cursor } = await create();
  const inbox = new Inbox();
  // After every reconnect graphql-sse sends this object again, with the last cursor that was seen.
  const variables = { id, after: cursor };
  const completed = new Promise((resolve, reject) => {
    client.subscribe({ query: FOLLOW, variables }, {
      next({ data, errors }) {
        if (errors) return reject(new Error(JSON.stringify(errors)));
        inbox.push(data.messageAdded.node);
        variables.after = data.messageAdded.cursor;
      },
      error: reject,
      complete: resolve,
    });
  });
  completed.catch((error) => inbox.fail(error));
  const messages = sending(id, inbox);
  const { sent } = messages;
  await breakOften(network, messages);

  step("everything arrived once, in order");
  assert.deepEqual(inbox.items, sent);
  assertConsecutive(sent);

  step("it completes when the conversation is deleted");
  await remove(id);
  await completed;

  step("who stops reading is gone");
  const other = await create();
  const events = direct.iterate({ query: FOLLOW, variables: { id: other.id, after: other.cursor } });
  await append(other.id, "one");
  assert.equal((await events.next()).value.data.messageAdded.node.position, 2);
  await events.return();
  direct.dispose();
  client.dispose();
});
