// Every method of the client that is one request, with typed results and errors.

import assert from "node:assert/strict";
import { ScrollbackError, newId } from "scrollback-client";
import { assertConsecutive, connect, failure, nowhere, run, step, token } from "./common.mjs";

const client = connect();

await run("requests", async () => {
  step("create a conversation with messages");
  const id = newId();
  const messages = [{ role: "SYSTEM", content: "Be brief" }, { role: "USER", content: "Where is the harbour?" }];
  const created = await client.createConversation({ id, title: "Travel", messages, metadata: { from: "test" } });
  assert.equal(created.id, id);
  assert.equal(created.messageCount, 2);
  assert.deepEqual(created.metadata, { from: "test" });
  assert.deepEqual(await client.conversation(id), created);

  step("append");
  const answer = await client.append({
    conversationId: id,
    role: "ASSISTANT",
    parts: [{ reasoning: { text: "A harbour." } }, { text: { text: "By the sea." } }],
    model: "scripted",
    usage: { inputTokens: 3, outputTokens: 4 },
  });
  assert.equal(answer.content, "By the sea.");
  assert.deepEqual(answer.parts.map(({ __typename }) => __typename), ["ReasoningPart", "TextPart"]);
  assert.equal(answer.usage.outputTokens, 4);
  const [third, fourth] = await client.appendAll({
    conversationId: id,
    messages: [{ role: "USER", content: "Thanks" }, { role: "ASSISTANT", content: "Welcome" }],
  });
  assert.equal(fourth.parent.id, third.id);

  step("read pages of the history");
  const page = await client.history(id, { last: 2 });
  assert.deepEqual(page.nodes.map(({ content }) => content), ["Thanks", "Welcome"]);
  assert.ok(page.pageInfo.hasPreviousPage);
  const older = await client.history(id, { last: 2, before: page.pageInfo.startCursor });
  assert.equal(older.edges.at(-1).cursor, answer.cursor);
  const all = [];
  for await (const message of client.messages(id, { first: 2 })) all.push(message);
  assertConsecutive(all);
  assert.equal(all.length, 5);

  step("branches");
  const version = await client.append({ conversationId: id, role: "ASSISTANT", content: "At the sea", parentId: third.parent.id });
  const found = await client.message(version.id);
  assert.equal(found.conversation.id, id);
  assert.deepEqual(found.siblings.map(({ id }) => id).sort(), [third.id, version.id].sort());
  await client.switchBranch(id, fourth.id);
  assert.deepEqual((await client.history(id)).nodes.at(-1).id, fourth.id);
  assert.equal(await client.message(nowhere), null);

  step("change messages");
  assert.equal((await client.updateMessage({ id: third.id, content: "Thank you" })).content, "Thank you");
  assert.equal((await client.setMessageFeedback({ messageId: fourth.id, rating: "UP" })).feedback.rating, "UP");
  const deleted = await client.deleteMessage(version.id);
  assert.ok(deleted.deletedAt && !deleted.wasDeleted);
  assert.equal((await client.deleteMessage(version.id)).wasDeleted, true);

  step("parts of other kinds, and further fields of parts");
  const custom = { kind: "step-start", data: { step: 1 }, extra: { by: "an SDK" } };
  const parts = [{ custom }, { text: { text: "Hm", extra: { state: "done" } } }];
  const special = await client.append({ conversationId: id, role: "ASSISTANT", parts });
  assert.deepEqual(special.parts, [
    { __typename: "CustomPart", ...custom },
    { __typename: "TextPart", text: "Hm", extra: { state: "done" } },
  ]);
  await client.deleteMessage(special.id);
  const length = async (options) => (await client.history(id, options)).nodes.length;
  assert.equal(await length(), (await length({ includeDeleted: false })) + 1);

  step("search");
  const { nodes, edges } = await client.search("harbour").page();
  assert.equal(nodes[0].conversation.id, id);
  assert.ok(edges[0].snippet.includes("harbour") && edges[0].highlights.length === 1);

  step("list conversations");
  for (let number = 0; number < 5; number++) await client.createConversation({ title: `Number ${number}` });
  const titles = [];
  for await (const { title } of client.conversations({ first: 2, filter: { titleContains: "number" } })) titles.push(title);
  assert.deepEqual(titles, ["Number 4", "Number 3", "Number 2", "Number 1", "Number 0"]);
  const list = client.conversations({ first: 2 });
  const first = await list.page();
  assert.ok(first.changeCursor);
  assert.deepEqual((await list.page(first.pageInfo.endCursor)).nodes.map(({ title }) => title), ["Number 2", "Number 1"]);

  step("organise");
  assert.deepEqual((await client.updateConversation({ id, title: "Journey", addLabels: ["sea"] })).labels, ["sea"]);
  assert.equal((await client.markRead({ conversationId: id, position: 5 })).readPosition, 5);
  assert.ok((await client.trashConversation(id)).trashedAt);
  assert.equal((await client.restoreConversation(id)).trashedAt, null);

  step("documents of one's own");
  const { viewer, node } = await client.query("query ($id: ID!) { viewer { conversationCount } node(id: $id) { id } }", { id });
  assert.deepEqual([viewer, node], [{ conversationCount: 6 }, { id }]);

  step("clear and delete");
  const { id: other } = await client.createConversation({ messages: [{ role: "USER", content: "Forget this" }] });
  assert.equal((await client.clearConversation(other)).messageCount, 0);
  await client.deleteConversation(other);
  await client.deleteConversation(id);
  await client.deleteConversation(id).then(assert.fail, (error) => assert.equal(error.code, "NOT_FOUND"));

  step("typed errors");
  const missing = await failure(client.conversation(nowhere));
  assert.ok(missing instanceof ScrollbackError && missing instanceof Error);
  assert.deepEqual([missing.code, missing.path, missing.retryable], ["NOT_FOUND", ["conversation"], false]);
  assert.match(missing.requestId, /./);
  const conflict = await failure(client.createConversation({ id: first.nodes[0].id, title: "Another" }));
  assert.equal(conflict.code, "CONFLICT");
  const invalid = await failure(client.query("{ nothing }"));
  assert.deepEqual([invalid.code, invalid.errors.length], ["GRAPHQL_VALIDATION_FAILED", 1]);

  step("tokens");
  const asked = [];
  const provider = ({ rejected }) => (asked.push(rejected), rejected === "expired" ? token : "expired");
  assert.equal((await connect({ token: provider }).query("{ viewer { id } }")).viewer.id, "ada");
  assert.deepEqual(asked, [undefined, "expired"]);
  assert.equal((await failure(connect({ token: "wrong" }).query("{ viewer { id } }"))).code, "UNAUTHENTICATED");
  assert.equal((await failure(connect({ token: () => "wrong" }).query("{ viewer { id } }"))).code, "UNAUTHENTICATED");
  const broken = connect({ token: () => Promise.reject(new Error("no network")), retry: { attempts: 2, minDelayMs: 1 } });
  const unavailable = await failure(broken.query("{ viewer { id } }"));
  assert.deepEqual([unavailable.code, unavailable.cause.message], ["TOKEN_UNAVAILABLE", "no network"]);

  step("abort");
  const reason = new Error("no longer needed");
  assert.equal(await failure(client.conversation(nowhere, { signal: AbortSignal.abort(reason) })), reason);
});
