// What needs no server: `node --test`.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { ScrollbackError, codePointLength, createClient, newId, toStorableText } from "scrollback-client";

const folder = new URL("..", import.meta.url);
const read = (path) => readFileSync(new URL(path, folder), "utf8");

test("the package has at most 12 KiB, gzipped", async () => {
  const { exports } = JSON.parse(read("package.json"));
  const entryPoints = [exports["."], exports["./graphql-ws"]].map(({ default: path }) => path);
  const { outputFiles } = await build({
    absWorkingDir: folder.pathname,
    entryPoints,
    bundle: true,
    minify: true,
    splitting: true,
    format: "esm",
    outdir: "out",
    write: false,
    external: ["graphql-ws"],
  });
  const size = gzipSync(Buffer.concat(outputFiles.map(({ contents }) => contents))).length;
  assert.ok(size > 1024 && size <= 12 * 1024, `${size} bytes`);
});

test("the core depends on nothing", () => {
  const { dependencies } = JSON.parse(read("package.json"));
  assert.equal(dependencies, undefined);
});

test("the version is that of the server", () => {
  const { version } = JSON.parse(read("package.json"));
  assert.ok(readFileSync(new URL("../../Cargo.toml", folder), "utf8").includes(`version = "${version}"`));
});

test("ids are UUIDs of version 7 in the order of their times", () => {
  const ids = Array.from({ length: 100 }, newId);
  for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(new Set(ids).size, 100);
  const time = (id) => Number.parseInt(id.slice(0, 13).replace("-", ""), 16);
  assert.ok(Math.abs(time(ids[0]) - Date.now()) < 5_000);
  assert.deepEqual(ids.map(time), ids.map(time).sort((one, other) => one - other));
});

test("texts are made storable, and counted in code points", () => {
  assert.equal(toStorableText("a👍\0b\ud83d"), "a👍\ufffdb\ufffd");
  assert.equal(toStorableText("\udc4d\ud83d\udc4d"), "\ufffd👍");
  assert.equal(codePointLength("é👍x"), 3);
});

/** A client whose server gives these responses, one after the other. */
function scripted(responses, options = {}) {
  const requests = [];
  const client = createClient({
    url: "http://server.test/",
    token: "token",
    retry: { minDelayMs: 1, maxDelayMs: 5, attempts: 4 },
    fetch: async (url, init) => {
      requests.push({ url, ...JSON.parse(init.body), headers: init.headers, at: performance.now() });
      const response = responses.shift();
      if (response instanceof Error) throw response;
      return response;
    },
    ...options,
  });
  return { client, requests };
}

const ok = () => Response.json({ data: { viewer: { id: "ada" } } });
const fault = (code, extensions, init) => Response.json({ errors: [{ message: code, extensions: { code, ...extensions } }] }, init);
const unavailable = () => fault("UNAVAILABLE", { retryable: true }, { status: 503 });

test("requests are retried when that can help", async () => {
  const gateway = () => new Response("<html>", { status: 502 });
  const { client, requests } = scripted([new TypeError("fetch failed"), gateway(), unavailable(), ok()]);
  assert.deepEqual(await client.query("{ viewer { id } }"), { viewer: { id: "ada" } });
  assert.equal(requests.length, 4);
  assert.equal(requests[0].url, "http://server.test/graphql");
});

test("requests are not retried for ever", async () => {
  const { client, requests } = scripted(Array.from({ length: 9 }, unavailable));
  await assert.rejects(client.query("{ viewer { id } }"), { code: "UNAVAILABLE", retryable: true, status: 503 });
  assert.equal(requests.length, 4);
});

test("a server that asks for patience gets it", async () => {
  const limited = fault("RATE_LIMITED", { retryable: true, retryAfterMs: 100 }, { status: 429 });
  const { client, requests } = scripted([limited, ok()]);
  await client.query("{ viewer { id } }");
  assert.ok(requests[1].at - requests[0].at >= 100);
});

test("errors that no attempt can change are thrown at once", async () => {
  for (const response of [fault("BAD_USER_INPUT"), fault("INTERNAL_SERVER_ERROR"), new Response("not found", { status: 404 })]) {
    const { client, requests } = scripted([response, ok()]);
    await assert.rejects(client.query("{ viewer { id } }"), ScrollbackError);
    assert.equal(requests.length, 1);
  }
});

test("mutations of the application are repeated only if it says so", async () => {
  const mutations = [
    "mutation { appendMessage { message { id } } }",
    "# a comment\nfragment F on Message { id }\nmutation M($a: Int) { x }",
    'query Q { x(y: "}") } mutation M { z }',
  ];
  for (const document of mutations) {
    const { client, requests } = scripted([unavailable(), ok(), ok()]);
    await assert.rejects(client.query(document), { code: "UNAVAILABLE" });
    assert.equal(requests.length, 1, document);
    await client.query(document, {}, { idempotent: true });
  }
  for (const document of ['query Q { search(text: "} mutation {") }', "# } mutation\n{ mutation }", "{ a { b } }"]) {
    const { client } = scripted([unavailable(), ok()]);
    await client.query(document);
  }
});

test("a mutation over the rate limit was not executed, and is repeated", async () => {
  const limited = fault("RATE_LIMITED", { retryable: true, retryAfterMs: 1 }, { status: 429 });
  const { client } = scripted([limited, ok()]);
  await client.query("mutation { x }");
});

test("a response that never comes is a network error", async () => {
  const never = (_, { signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const { client } = scripted([], { fetch: never, timeoutMs: 5, retry: { attempts: 2, minDelayMs: 1 } });
  await assert.rejects(client.query("{ a }"), { code: "NETWORK_ERROR", message: /5 ms/ });
  const signal = AbortSignal.timeout(5);
  const { client: other } = scripted([], { fetch: never });
  await assert.rejects(other.query("{ a }", {}, { signal }), { name: "TimeoutError" });
});

test("a back end acts for a user", async () => {
  const { client, requests } = scripted([ok()], { actAs: "ada" });
  await client.query("{ viewer { id } }");
  assert.equal(requests[0].headers["Scrollback-Act-As"], "ada");
  assert.equal(requests[0].headers.Authorization, "Bearer token");
});

test("a writer sends again what a restored server has lost", async () => {
  const sent = [];
  let stored = "";
  let lost = false;
  const { client } = scripted([], {
    fetch: async (_, { body }) => {
      const { query, variables: { input } } = JSON.parse(body);
      if (query.includes("appendMessage(")) return Response.json({ data: { appendMessage: { messageEdge: { cursor: "c", node: {} } } } });
      if (query.includes("finishMessage(")) return Response.json({ data: { finishMessage: { message: { status: input.status } } } });
      sent.push([input.offset, input.text]);
      const length = [...stored].length;
      if (input.offset > length) return fault("CONFLICT", { length });
      stored = [...stored].slice(0, input.offset).join("") + input.text;
      if (!lost) {
        lost = true;
        stored = "a👍";
      }
      return Response.json({ data: { appendMessageText: { length: [...stored].length, stopRequested: false } } });
    },
  });
  const writer = client.stream({ conversationId: "id" }, { flushIntervalMs: 1 });
  writer.write("a👍bc");
  while (sent.length < 1) await new Promise((resolve) => setTimeout(resolve));
  writer.write("d");
  assert.equal((await writer.finish()).status, "COMPLETE");
  assert.equal(stored, "a👍bcd");
  assert.deepEqual(sent, [[0, "a👍bc"], [4, "d"], [2, "bcd"]]);
});
