// Two tabs in step, and messages that are written without a connection.

import assert from "node:assert/strict";
import {
  answer, answers, ask, choose, composer, ended, item, messages, openTab, post, run, screenshot, signedIn,
  startBrowser, startChat, step, streaming, texts,
} from "./common.mjs";

const STORED = `query ($id: ID!) { conversation(id: $id) { messages { nodes { role content status } } } }`;

/** Whether the outbox of the page has so many messages in its storage. Runs in the page. */
const savedCount = (expected) =>
  new Promise((resolve) => {
    const opening = indexedDB.open("chat-outbox-ada");
    opening.onsuccess = () => {
      const counting = opening.result.transaction("entries").objectStore("entries").count();
      counting.onsuccess = () => resolve(counting.result === expected);
      opening.result.close();
    };
  });

await run("tabs", async () => {
  await startChat();
  const browser = await startBrowser();
  const { context, page: one, faults } = await signedIn(browser);
  const two = await openTab(context, faults);
  await composer(two).waitFor();

  step("a conversation that begins in one tab is in the list of the other");
  await ask(one, "Tell me a long story");
  await item(two, "Tell me a long story").getByRole("link").click();
  await streaming(one, 100);
  await streaming(two, 100);
  const id = new URL(one.url()).pathname.split("/").at(-1);

  step("the other is reloaded in the middle, and stops the answer");
  await two.reload();
  await streaming(two, 160);
  await two.getByRole("button", { name: "Stop the answer" }).click();
  await ended(two, "INTERRUPTED");
  await ended(one, "INTERRUPTED");
  assert.deepEqual(await texts(one), await texts(two));
  assert.equal(await answers(one).count(), 1);

  step("another answer, branches and titles are the same in both");
  await answer(one, 0).getByRole("button", { name: "Answer again" }).click();
  for (const tab of [one, two]) await tab.getByText("2/2").waitFor();
  await two.getByRole("button", { name: "Stop the answer" }).click();
  await ended(one, "INTERRUPTED");
  await two.getByRole("button", { name: "Previous version" }).click();
  for (const tab of [one, two]) await tab.getByText("1/2").waitFor();
  assert.deepEqual(await texts(one), await texts(two));
  await choose(two, "Tell me a long story", "Rename");
  await two.getByLabel("Title", { exact: true }).fill("The log");
  await two.keyboard.press("Enter");
  await one.getByRole("heading", { name: "The log" }).waitFor();

  step("a message without a connection waits, is shown, and survives a reload");
  const offline = [];
  const isOffline = (message) => message.type() === "error" && offline.push(message.text());
  await context.setOffline(true);
  one.on("console", isOffline);
  await one.getByText("No connection. Messages are sent later.").waitFor();
  await ask(one, "Are you there?");
  await messages(one).last().getByText("Sending …").waitFor();
  await ask(one, "When is high tide?");
  await one.locator(".is-pending").nth(1).waitFor();
  assert.equal(await one.locator(".is-pending").count(), 2);
  // From then on they survive a reload.
  await one.waitForFunction(savedCount, 2);
  await one.getByText("No connection. Messages are sent later.").waitFor();
  await screenshot(one, "offline");
  await context.setOffline(false);
  await one.reload();

  step("with the connection both are sent once, in order, and answered together, in both tabs");
  for (const tab of [one, two]) {
    await ended(tab);
    assert.equal(await tab.locator(".is-pending").count(), 0);
  }
  const stored = (await post(STORED, { id })).conversation.messages.nodes.slice(2);
  assert.deepEqual(stored.map(({ role, status }) => `${role} ${status}`), ["USER COMPLETE", "USER COMPLETE", "ASSISTANT COMPLETE"]);
  assert.deepEqual(stored.slice(0, 2).map(({ content }) => content), ["Are you there?", "When is high tide?"]);
  assert.deepEqual(await texts(one), await texts(two));
  await two.close();

  step("a message that the server refuses is shown, and can be discarded");
  await context.setOffline(true);
  await ask(one, "Too late");
  await messages(one).last().getByText("Sending …").waitFor();
  await post("mutation ($id: ID!) { trashConversation(input: { id: $id }) { conversation { id } } }", { id });
  await context.setOffline(false);
  await messages(one).last().getByText(/^Not sent: /).waitFor();
  await one.getByRole("button", { name: "Discard" }).click();
  await messages(one).getByText("Too late").waitFor({ state: "detached" });
  const unexpected = faults.filter((fault) => !/ERR_INTERNET_DISCONNECTED|ERR_NETWORK_CHANGED|WebSocket/.test(fault));
  assert.deepEqual(unexpected, []);
  await browser.close();
});
