// The server is killed in the middle of an answer, and started again: see tests/it/chat_example.rs.

import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { answers, ask, asked, composer, ended, openTab, post, run, signedIn, startBrowser, startChat, step, streaming, texts } from "./common.mjs";

const STORED = `query ($id: ID!) { conversation(id: $id) { messages { nodes { content status } } } }`;
const input = createInterface({ input: process.stdin });
const confirmed = input[Symbol.asyncIterator]();

/** Has the test do something, and waits until it is done. */
async function request(what) {
  console.log(what);
  await confirmed.next();
}

await run("restart", async () => {
  await startChat(60);
  const browser = await startBrowser();
  const { context, page } = await signedIn(browser);
  await ask(page, "Tell me a long story");
  await streaming(page, 120);
  const reader = await openTab(context, [], new URL(page.url()).pathname);
  await streaming(reader, 120);

  step("the server is killed");
  await request("kill");
  await page.getByText("No connection. Messages are sent later.").waitFor();
  await request("start");

  step("the answer goes on, without a gap and without a repetition");
  await page.getByText("No connection. Messages are sent later.").waitFor({ state: "detached" });
  for (const tab of [page, reader]) await ended(tab);
  assert.equal(await answers(page).count(), 1);
  const id = new URL(page.url()).pathname.split("/").at(-1);
  const [, stored] = (await post(STORED, { id })).conversation.messages.nodes;
  assert.equal(stored.status, "COMPLETE");
  const lines = stored.content.split("\n").filter((line) => /^\d+\./.test(line));
  assert.deepEqual(lines.map((line) => Number.parseInt(line)), Array.from({ length: 24 }, (_, index) => index + 1));
  assert.deepEqual(await texts(page), await texts(reader));

  step("a message that is written while the server is away");
  await request("kill");
  await composer(page).fill("Are you there?");
  await composer(page).press("Enter");
  await page.getByText("Sending …").waitFor();
  await request("start");
  await page.getByText("Sending …").waitFor({ state: "detached" });
  await ended(page);
  await asked(page, "When is high tide?");
  assert.equal(await answers(reader).count(), 3);
  await browser.close();
});
