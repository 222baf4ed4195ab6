// The client in a real browser: two tabs that follow with both transports, lose the network and are reloaded, and an
// outbox in IndexedDB.

import assert from "node:assert/strict";
import { build } from "esbuild";
import { launch } from "../../../tests/clients/browser.mjs";
import { append, create, httpUrl, run, step, token } from "./common.mjs";

const { ORIGIN } = process.env;

/** The client as a bundler makes it. */
async function bundle() {
  const contents = 'export * from "scrollback-client"; export { webSocket } from "scrollback-client/graphql-ws";';
  const stdin = { contents, resolveDir: new URL("..", import.meta.url).pathname };
  const { outputFiles } = await build({ stdin, bundle: true, format: "esm", write: false });
  return outputFiles[0].text;
}

/** What runs in a tab: a client for each transport, and what they follow. */
function start({ url, token }) {
  const { createClient, createOutbox, indexedDbStorage, webSocket } = window.scrollback;
  const retry = { minDelayMs: 10, maxDelayMs: 200, attempts: 100 };
  const clients = [undefined, webSocket()].map((subscriptions) =>
    createClient({ url, token, retry, ...(subscriptions && { subscriptions }) }));
  const seen = clients.map(() => []);
  window.tab = {
    seen,
    client: clients[0],
    outbox: createOutbox(clients[0], { storage: indexedDbStorage("outbox.ada"), retry }),
    follow: (id, cursor) => clients.forEach(async (client, index) => {
      for await (const { node } of client.follow(id, { cursor })) seen[index].push(node.content);
    }),
  };
}

await run("browser", async () => {
  // A page that no server was asked for counts as one of the wide Internet.
  const browser = await launch("--disable-features=LocalNetworkAccessChecks");
  const context = await browser.newContext();
  const script = await bundle();
  await context.route(`${ORIGIN}/**`, (route) => {
    const isScript = route.request().url().endsWith(".js");
    const page = '<script type="module">window.scrollback = await import("/client.js");</script>';
    return route.fulfill(isScript ? { body: script, contentType: "text/javascript" } : { body: page, contentType: "text/html" });
  });
  const faults = [];
  const prepare = async (page) => {
    await page.waitForFunction(() => window.scrollback);
    await page.evaluate(start, { url: httpUrl, token });
  };
  const open = async () => {
    const page = await context.newPage();
    page.on("pageerror", (error) => faults.push(String(error)));
    await page.goto(`${ORIGIN}/`);
    await prepare(page);
    return page;
  };
  /** Waits until both transports have shown these messages. */
  const shows = (page, contents) =>
    page.waitForFunction((contents) => window.tab.seen.every((seen) => JSON.stringify(seen) === contents), JSON.stringify(contents));
  const [one, two] = [await open(), await open()];

  step("both tabs see what the other writes");
  const { id, cursor } = await create();
  for (const page of [one, two]) await page.evaluate(([id, cursor]) => window.tab.follow(id, cursor), [id, cursor]);
  const write = (page, content) => page.evaluate(async ([conversationId, content]) => {
    await window.tab.client.append({ conversationId, role: "USER", content });
  }, [id, content]);
  await write(one, "from one");
  await write(two, "from two");
  for (const page of [one, two]) await shows(page, ["from one", "from two"]);

  step("the network is lost, and comes back");
  await context.setOffline(true);
  await append(id, "unheard");
  await context.setOffline(false);
  await append(id, "heard");
  for (const page of [one, two]) await shows(page, ["from one", "from two", "unheard", "heard"]);

  step("a tab streams, the other stops it");
  const messageId = await one.evaluate(async (conversationId) => {
    window.writer = window.tab.client.stream({ conversationId }, { heartbeatMs: 20 });
    window.writer.write("Once upon");
    await window.writer.opened;
    return window.writer.id;
  }, id);
  await two.evaluate((id) => window.tab.client.stopMessage(id), messageId);
  const ended = await one.evaluate(async () => {
    const { signal } = window.writer;
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
    const { status, content } = await window.writer.finish();
    return [status, content];
  });
  assert.deepEqual(ended, ["INTERRUPTED", "Once upon"]);

  step("messages wait in IndexedDB while the server cannot be reached, across a reload");
  const away = (route) => route.abort();
  await context.route(httpUrl, away);
  const queue = (content) => one.evaluate(async ([conversationId, content]) => {
    await window.tab.outbox.append({ conversationId, role: "USER", content });
    return window.tab.outbox.entries.length;
  }, [id, content]);
  assert.equal(await queue("waits, one"), 1);
  assert.equal(await queue("waits, two"), 2);
  await one.reload();
  await prepare(one);
  const waiting = () => one.evaluate(async () => {
    await window.tab.outbox.loaded;
    return window.tab.outbox.entries.map(({ message }) => message.content);
  });
  assert.deepEqual(await waiting(), ["waits, one", "waits, two"]);
  await context.unroute(httpUrl, away);
  await one.evaluate(() => (window.dispatchEvent(new Event("online")), window.tab.outbox.flush()));
  assert.deepEqual(await waiting(), []);
  await shows(two, ["from one", "from two", "unheard", "heard", "", "waits, one", "waits, two"]);

  assert.deepEqual(faults, []);
  await browser.close();
});
