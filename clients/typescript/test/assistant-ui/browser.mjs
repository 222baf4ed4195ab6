// assistant-ui's runtime in a browser, over threads in Scrollback: the list, and messages with their branches.

import assert from "node:assert/strict";
import { launch } from "../../../../tests/clients/browser.mjs";
import { bundle, serve } from "../ai-sdk/chat-server.mjs";
import { connect, run, step, stored } from "../ai-sdk/common.mjs";
import { opener, proxy, settled, state, textOf } from "./common.mjs";

const client = connect();

await run("assistant-ui browser", async () => {
  step("open a page");
  const address = await serve(await bundle(new URL("page.tsx", import.meta.url).pathname), proxy);
  const browser = await launch();
  const context = await browser.newContext();
  const faults = [];
  const open = opener(context, address, faults);
  const one = await open("one");
  const threadsOf = (tab) => tab.evaluate(() => {
    const { threadItems } = window.runtime.threads.getState();
    return Object.values(threadItems).map(({ remoteId, title, status }) => ({ remoteId, title, status }));
  });
  const texts = async (tab) => (await state(tab)).map(textOf);
  const remote = async (tab, count) => {
    const id = await tab.waitForFunction(() => window.runtime.threads.mainItem.getState().remoteId).then((it) => it.jsonValue());
    // The runtime does not wait for its history. The messages are there soon.
    while ((await stored(id)).length < count) await client.message(id);
    return id;
  };

  step("a new thread: append");
  await one.evaluate(() => void window.runtime.thread.append("Where is the harbour?"));
  await settled(one, 2, "Answer to");
  step("a new thread: initialize");
  const id = await remote(one, 2);
  step("a new thread: generateTitle");
  // The runtime also asks by itself when an answer has ended, but not always: it may have loaded its threads in between.
  await one.evaluate(() => window.runtime.threads.mainItem.generateTitle());
  await one.waitForFunction(() => window.runtime.threads.mainItem.getState().title === "Where is the harbour?");
  assert.equal((await client.conversation(id)).title, "Where is the harbour?");
  const [question, answer] = await stored(id);
  assert.deepEqual([question.role, answer.role, question.content], ["USER", "ASSISTANT", "Where is the harbour?"]);
  const types = answer.parts.map(({ __typename }) => __typename);
  assert.deepEqual(types, ["ReasoningPart", "ToolPart", "SourceUrlPart", "TextPart"]);

  step("load it in another tab: nothing is lost");
  const two = await open("two");
  assert.deepEqual(await threadsOf(two).then((threads) => threads.filter(({ remoteId }) => remoteId === id)), [
    { remoteId: id, title: "Where is the harbour?", status: "regular" },
  ]);
  await two.evaluate((id) => window.runtime.threads.switchToThread(id), id);
  await settled(two, 2, "Answer to");
  assert.deepEqual(await state(two), await state(one));

  step("regenerate, and edit the question: branches");
  await two.evaluate(() => window.runtime.thread.getMessageByIndex(1).reload());
  await settled(two, 2, "two1");
  await two.evaluate(() => {
    const { parentId, id } = window.runtime.thread.getMessageByIndex(0).getState();
    window.runtime.thread.append({ parentId, sourceId: id, role: "user", content: [{ type: "text", text: "Where is the sea?" }] });
  });
  await settled(two, 2, "two2");
  await remote(two, 2);
  while ((await client.conversation(id)).messageCount < 5) await client.message(id);
  const three = await open("three");
  await three.evaluate((id) => window.runtime.threads.switchToThread(id), id);
  await settled(three, 2, "two2");
  assert.deepEqual(await texts(three), await texts(two));
  const branches = await three.evaluate(() => window.runtime.thread.getMessageByIndex(0).getState().branchCount);
  assert.equal(branches, 2);
  await three.evaluate(() => window.runtime.thread.getMessageByIndex(0).switchToBranch({ position: "previous" }));
  await settled(three, 2, "Answer to Where is the harbour?");
  assert.equal(await three.evaluate(() => window.runtime.thread.getMessageByIndex(1).getState().branchCount), 2);
  await three.evaluate(() => window.runtime.thread.append("And by train?"));
  await settled(three, 4, "three1");
  while ((await client.conversation(id)).messageCount < 7) await client.message(id);

  step("delete a message");
  await three.evaluate(() => window.runtime.thread.getMessageByIndex(3).delete());
  while ((await client.conversation(id)).messageCount > 6) await client.message(id);

  step("rename, archive, unarchive, delete");
  const item = (tab, action, ...more) => tab.evaluate(([id, action, more]) => window.runtime.threads.getItemById(id)[action](...more), [id, action, more]);
  await item(three, "rename", "Harbours");
  await item(three, "archive");
  const archived = await client.conversation(id);
  assert.equal(archived.title, "Harbours");
  assert.ok(archived.archivedAt);
  const four = await open("four");
  assert.equal((await threadsOf(four)).find(({ remoteId }) => remoteId === id).status, "archived");
  await item(four, "unarchive");
  assert.equal((await client.conversation(id)).archivedAt, null);
  await item(four, "delete");
  const gone = await client.conversation(id).catch(({ code }) => code);
  assert.equal(gone, "NOT_FOUND");

  step("the list has all pages");
  for (let count = 0; count < 60; count++) await client.createConversation({ title: `Thread ${count}` });
  const pages = await four.evaluate(async () => {
    const titles = [];
    for (let after; ; ) {
      const { threads, nextCursor } = await window.adapter.list({ after });
      titles.push(...threads.map(({ title }) => title));
      if (!nextCursor) return titles;
      after = nextCursor;
    }
  });
  for (let count = 0; count < 60; count++) assert.ok(pages.includes(`Thread ${count}`));
  const fetched = await four.evaluate((id) => window.adapter.fetch(id), (await client.createConversation({ title: "One", metadata: { color: "red" } })).id);
  assert.deepEqual([fetched.title, fetched.status, fetched.custom], ["One", "regular", { color: "red" }]);

  assert.deepEqual(faults, []);
  await browser.close();
});
