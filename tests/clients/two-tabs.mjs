// The example in `examples/two-tabs`, in a real browser: one tab streams an answer, the other follows,
// is reloaded in the middle, and stops it. Both show the same words, all of them, each once.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import { ANSWER } from "../../examples/two-tabs/assistant.js";
import { launch, watch } from "./browser.mjs";
import { httpUrl, post, run, step, token } from "./common.mjs";

const { ORIGIN, SCREENSHOT } = process.env;

const TYPES = { ".html": "text/html", ".css": "text/css", ".js": "text/javascript" };
const EXAMPLE = new URL("../../examples/two-tabs/", import.meta.url);
const HERE = new URL(".", import.meta.url);

/** Serves the example as any server of files does, without one. */
async function serve(route) {
  const path = new URL(route.request().url()).pathname.slice(1) || "index.html";
  const file = new URL(path, path.startsWith("node_modules/") ? HERE : EXAMPLE);
  await route.fulfill({ body: await readFile(file), contentType: TYPES[extname(path)] });
}

/** A tab, and what it did that it must not do. */
async function open(context, address, faults) {
  const page = await context.newPage();
  watch(page, faults);
  await page.goto(address);
  return page;
}

const answer = (tab, number) => tab.locator("article[data-role=ASSISTANT]").nth(number);
const text = (tab, number) => answer(tab, number).locator("p").textContent();
const ask = async (tab, question) => {
  await tab.getByPlaceholder("Ask something").fill(question);
  await tab.getByRole("button", { name: "Send" }).click();
};

/** Waits until an answer shows at least so many characters, and gives them. */
async function shows(tab, number, length) {
  await answer(tab, number).waitFor();
  const enough = ([number, length]) => {
    const place = document.querySelectorAll("article[data-role=ASSISTANT]")[number];
    return place?.querySelector("p").textContent.length >= length;
  };
  await tab.waitForFunction(enough, [number, length]);
  const shown = await text(tab, number);
  assert.ok(ANSWER.startsWith(shown), `every word once, and in order: ${shown}`);
  return shown;
}

const ended = (tab, number, status) =>
  tab.locator(`article[data-role=ASSISTANT][data-status=${status}]`).nth(number).waitFor();

/** What the server has of the conversation. */
async function stored(id) {
  const query = "query ($id: ID!) { conversation(id: $id) { messages { nodes { role content status } } } }";
  return (await post(query, { id })).conversation.messages.nodes;
}

await run("two-tabs", async () => {
  step("open a tab, which makes a conversation");
  // A page that no server was asked for counts as one of the wide Internet.
  const browser = await launch("--disable-features=LocalNetworkAccessChecks");
  const context = await browser.newContext({ viewport: { width: 760, height: 620 } });
  await context.route(`${ORIGIN}/**`, serve);
  const faults = [];
  // Slow enough that it can be stopped in the middle.
  const slow = new URLSearchParams({ server: httpUrl, token, pace: 250 });
  const one = await open(context, `${ORIGIN}/#${slow}`, faults);
  await one.waitForFunction(() => document.getElementById("another").href.includes("conversation="));
  const conversation = new URLSearchParams(new URL(one.url()).hash.slice(1)).get("conversation");

  step("open another tab from the link");
  const address = (await one.locator("#another").getAttribute("href")).replace("pace=250", "pace=50");
  const two = await open(context, address, faults);

  step("ask in the one, and see it answered in both");
  await ask(one, "Will this still be here tomorrow?");
  await shows(two, 0, 60);
  await shows(one, 0, 60);

  step("reload the other in the middle");
  const before = await text(two, 0);
  await two.reload();
  const after = await shows(two, 0, before.length);
  await shows(two, 0, after.length + 80);
  if (SCREENSHOT) await two.screenshot({ path: SCREENSHOT.replace(/(\.\w+)?$/, "-writing$1") });

  step("stop it there");
  await two.getByRole("button", { name: "Stop" }).click();
  await ended(one, 0, "INTERRUPTED");
  await ended(two, 0, "INTERRUPTED");
  const [, stopped] = await stored(conversation);
  assert.equal(stopped.status, "INTERRUPTED");
  assert.ok(stopped.content.length < ANSWER.length, "it was stopped before its end");
  assert.equal(await shows(one, 0, stopped.content.length), stopped.content);
  assert.equal(await shows(two, 0, stopped.content.length), stopped.content);

  step("ask again in the other, and let it end; the one comes back meanwhile");
  await one.close();
  await ask(two, "And to the end, this time?");
  await shows(two, 1, 60);
  const late = await open(context, address, faults);
  await shows(late, 1, 60);
  for (const tab of [late, two]) {
    await ended(tab, 0, "COMPLETE");
    assert.equal(await text(tab, 1), ANSWER);
    assert.equal(await text(tab, 0), stopped.content);
  }
  if (SCREENSHOT) await late.screenshot({ path: SCREENSHOT });
  const all = await stored(conversation);
  assert.deepEqual(all.map(({ status }) => status), ["COMPLETE", "INTERRUPTED", "COMPLETE", "COMPLETE"]);
  assert.equal(all[3].content, ANSWER);
  assert.deepEqual(faults, []);
  await browser.close();
});
