// The writer of a streaming message: batches, retries over a network that breaks, stops, failures.

import assert from "node:assert/strict";
import { Network, append, connect, create, failure, retry, run, step } from "./common.mjs";

/** A client that records its requests, whose responses can be lost. */
function recording(url) {
  const sent = [];
  let lost = 0;
  const client = connect({
    url,
    fetch: async (input, init) => {
      const { query, variables } = JSON.parse(init.body);
      sent.push({ operation: /\w+ (\w+)/.exec(query)?.[1], input: variables.input });
      const response = await fetch(input, init);
      if (lost > 0) {
        lost -= 1;
        await response.text();
        throw new TypeError("the response was lost");
      }
      return response;
    },
  });
  return { client, sent, lose: (count) => (lost = count) };
}

const contents = async (client, id) => (await client.history(id)).nodes.map(({ content }) => content);

await run("stream", async () => {
  const network = new Network();
  const { client, sent, lose } = recording(await network.listen("http"));
  const { id } = await create();

  step("every response is lost once: nothing is doubled");
  lose(1);
  const writer = client.stream({ conversationId: id }, { flushIntervalMs: 1, attempts: 1000 });
  await writer.opened;
  let expected = "";
  for (let number = 0; number < 40; number++) {
    const piece = `${number}: é👍 `;
    expected += piece;
    writer.write(piece);
    lose(1);
    if (number % 8 === 0) network.cut();
    await append(id, "time passes");
  }
  lose(1);
  const message = await writer.finish({ usage: { outputTokens: 7 }, metadata: { done: true } });
  assert.equal(message.content, expected);
  assert.deepEqual([message.status, message.usage.outputTokens, message.metadata], ["COMPLETE", 7, { done: true }]);
  assert.equal((await contents(client, id)).filter((content) => content === expected).length, 1);

  step("texts are sent in batches");
  sent.length = 0;
  const batches = client.stream({ conversationId: id });
  for (let number = 0; number < 1000; number++) batches.write("word ");
  assert.equal((await batches.finish()).content, "word ".repeat(1000));
  assert.equal(sent.filter(({ operation }) => operation === "AppendMessageText").length, 1);
  sent.length = 0;
  const long = client.stream({ conversationId: id });
  long.write("👍".repeat(20_000));
  assert.equal((await long.finish()).content, "👍".repeat(20_000));
  assert.ok(sent.length > 3, "a long text is sent in pieces");

  step("surrogates that arrive apart, and what cannot be stored");
  const halves = client.stream({ conversationId: id }, { flushIntervalMs: 1 });
  halves.write("a\ud83d");
  await halves.opened;
  for (let number = 0; number < 5; number++) await append(id, "time passes");
  halves.write("\udc4db\0c\ud83d");
  assert.equal((await halves.finish()).content, "a👍b\ufffdc\ufffd");

  step("another client requests a stop; the writer hears of it without writing");
  const stopped = client.stream({ conversationId: id }, { heartbeatMs: 20 });
  stopped.write("Once upon");
  await stopped.opened;
  await client.stopMessage(stopped.id);
  await new Promise((resolve) => stopped.signal.addEventListener("abort", resolve));
  assert.ok(stopped.stopRequested);
  const end = await stopped.finish();
  assert.deepEqual([end.status, end.content], ["INTERRUPTED", "Once upon"]);

  step("pipe the texts of a model that is stopped while it thinks");
  let closed = false;
  async function* model() {
    try {
      yield "Let me ";
      yield "think";
      await new Promise(() => {});
    } finally {
      closed = true;
    }
  }
  const thinking = client.stream({ conversationId: id }, { heartbeatMs: 20 });
  const piped = thinking.pipe(model());
  await thinking.opened;
  await client.stopMessage(thinking.id);
  assert.deepEqual([(await piped).status, (await piped).content], ["INTERRUPTED", "Let me think"]);
  assert.equal(closed, false, "it was not awaited");

  step("a model that fails");
  const failing = client.stream({ conversationId: id });
  async function* broken() {
    yield "I ";
    throw new Error("the model failed");
  }
  assert.equal((await failure(failing.pipe(broken()))).message, "the model failed");
  assert.deepEqual(await client.message(failing.id).then(({ status, content }) => [status, content]), ["FAILED", "I "]);
  assert.throws(() => failing.write("more"), ({ code }) => code === "WRITER_ENDED");

  step("a message that somebody else has ended");
  const ended = client.stream({ conversationId: id }, { heartbeatMs: 20 });
  await ended.opened;
  await client.query(
    `mutation ($id: ID!) { finishMessage(input: { messageId: $id, status: COMPLETE }) { message { id } } }`,
    { id: ended.id },
  );
  ended.write("too late");
  await new Promise((resolve) => ended.signal.addEventListener("abort", resolve));
  assert.equal(ended.stopRequested, false);
  assert.throws(() => ended.write("more"), ({ code }) => code === "CONFLICT");
  assert.equal((await failure(ended.finish())).code, "CONFLICT");

  step("a conversation that does not exist");
  const nowhere = client.stream({ conversationId: ended.id });
  assert.equal((await failure(nowhere.finish())).code, "NOT_FOUND");
  assert.equal((await failure(nowhere.opened)).code, "NOT_FOUND");

  step("a server that stays away");
  network.refusing = true;
  network.cut();
  const lonely = connect({ url: await new Network(() => "http://127.0.0.1:1").listen("http"), retry: { ...retry, attempts: 3 } });
  assert.equal((await failure(lonely.stream({ conversationId: id }, { attempts: 3 }).finish())).code, "NETWORK_ERROR");
});
