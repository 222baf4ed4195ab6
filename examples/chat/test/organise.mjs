// The list of conversations: search, pins, labels, archive, trash, unread messages; and a long history.

import assert from "node:assert/strict";
import { choose, composer, item, messages, post, run, screenshot, signedIn, startBrowser, startChat, step } from "./common.mjs";

const CREATE = `mutation ($input: CreateConversationInput!) {
  createConversation(input: $input) { conversation { id messages(last: 1) { nodes { id } } } }
}`;
const APPEND = `mutation ($input: AppendMessageInput!) { appendMessage(input: $input) { message { id } } }`;
const STATE = `query ($id: ID!) { conversation(id: $id) { title labels pinnedAt archivedAt trashedAt unreadCount } }`;

const turn = (index) => ({ role: index % 2 ? "ASSISTANT" : "USER", content: `Entry ${index}: the sea was calm.` });
const create = async (title, turns) => {
  const first = Array.from({ length: Math.min(turns, 100) }, (_, index) => turn(index + 1));
  const { id } = (await post(CREATE, { input: { title, messages: first } })).createConversation.conversation;
  for (let index = 101; index <= turns; index++) await post(APPEND, { input: { conversationId: id, ...turn(index) } });
  return id;
};
const state = async (id) => (await post(STATE, { id })).conversation;
const titles = (page, group) => page.getByRole("region", { name: group, exact: true }).locator(".item-title").allTextContents();

await run("organise", async () => {
  await startChat();
  const browser = await startBrowser();
  const logbook = await create("Logbook", 130);
  const recipes = await create("Recipes", 2);
  const garden = await create("Garden", 2);
  for (const conversationId of [recipes, garden]) {
    await post(APPEND, { input: { conversationId, role: "ASSISTANT", content: "By the way" } });
  }
  const { page, faults } = await signedIn(browser);
  const show = (view) => page.getByRole("button", { name: view, exact: true }).click();

  step("conversations, the newest first, and messages that were not read");
  await item(page, "Logbook").waitFor();
  assert.deepEqual(await titles(page, "Today"), ["Garden", "Recipes", "Logbook"]);
  await item(page, "Garden").locator(".badge").waitFor();
  await item(page, "Garden").getByRole("link").click();
  await messages(page).nth(1).waitFor();
  await item(page, "Garden").locator(".badge").waitFor({ state: "detached" });
  await page.waitForFunction(() => !document.querySelector(".item:has([aria-current]).is-unread"));

  step("rename in the header, pin, label");
  await page.locator(".header").getByRole("button", { name: "Options of Garden" }).click();
  await page.keyboard.press("Enter");
  await page.getByLabel("Title", { exact: true }).fill("Herb garden");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Herb garden" }).waitFor();
  await item(page, "Herb garden").waitFor();
  await choose(page, "Recipes", "Pin");
  await page.getByRole("region", { name: "Pinned", exact: true }).waitFor();
  assert.deepEqual(await titles(page, "Pinned"), ["Recipes"]);
  await choose(page, "Herb garden", "Labels");
  await page.getByLabel("Labels of the conversation").fill("Home, Plants");
  await page.keyboard.press("Enter");
  await item(page, "Herb garden").getByText("Plants").waitFor();
  assert.deepEqual((await state(garden)).labels, ["Home", "Plants"]);
  await screenshot(page, "organised");

  step("only one label, then all");
  const label = page.getByRole("group", { name: "Labels" }).getByRole("button", { name: "Plants" });
  await label.click();
  await item(page, "Logbook").waitFor({ state: "detached" });
  await item(page, "Herb garden").waitFor();
  assert.equal(await page.locator(".item").count(), 1);
  await label.click();
  await item(page, "Logbook").waitFor();

  step("a message that comes while another conversation is open");
  await post(APPEND, { input: { conversationId: recipes, role: "ASSISTANT", content: "A new recipe" } });
  const badge = item(page, "Recipes").locator(".badge");
  await badge.getByText("2 unread").waitFor(); // with the one from before
  await item(page, "Recipes").getByRole("link").click();
  await badge.waitFor({ state: "detached" });
  await choose(page, "Recipes", "Mark as unread");
  await badge.getByText("1 unread").waitFor();
  await page.getByRole("heading", { name: "What would you like to know?" }).waitFor();

  step("the archive, and back");
  await choose(page, "Recipes", "Archive");
  await item(page, "Recipes").waitFor({ state: "detached" });
  await show("Archive");
  await item(page, "Recipes").waitFor();
  assert.ok((await state(recipes)).archivedAt);
  await choose(page, "Recipes", "Take out of the archive");
  await page.getByText("Nothing archived").waitFor();

  step("the trash: back, and for good");
  await show("Chats");
  await choose(page, "Recipes", "Move to the trash");
  await item(page, "Recipes").waitFor({ state: "detached" });
  await show("Trash");
  await item(page, "Recipes").getByRole("link").click();
  await page.getByText("This conversation is in the trash.").waitFor();
  assert.equal(await composer(page).count(), 0);
  await page.getByRole("button", { name: "Restore" }).click();
  await composer(page).waitFor();
  await page.getByText("The trash is empty").waitFor();
  await show("Chats");
  await choose(page, "Recipes", "Move to the trash");
  await show("Trash");
  await choose(page, "Recipes", "Delete for good");
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await page.getByText("The trash is empty").waitFor();
  assert.equal((await post("query ($id: ID!) { node(id: $id) { id } }", { id: recipes })).node, null);
  await show("Chats");

  step("search in titles and messages, with marks");
  const search = page.getByRole("searchbox", { name: "Search titles and messages" });
  await page.keyboard.press("ControlOrMeta+k");
  await search.pressSequentially("herb");
  await page.getByRole("region", { name: "Found conversations" }).getByText("Herb garden").waitFor();
  await search.fill("entry 12 cal");
  const found = page.getByRole("region", { name: "Found messages" }).locator(".item").filter({ hasText: "Entry 12:" });
  await found.first().waitFor();
  assert.deepEqual(await found.first().locator("mark").allTextContents(), ["Entry", "12", "calm"]);
  await screenshot(page, "search");

  step("a result far up in a long history");
  await found.filter({ hasText: "Logbook" }).getByRole("link").click();
  const revealed = page.locator(".message.is-revealed");
  await revealed.getByText("Entry 12:").waitFor();
  assert.equal(await revealed.evaluate((element) => {
    const { top, bottom } = element.getBoundingClientRect();
    return top > 0 && bottom < innerHeight;
  }), true);
  await search.press("Escape");
  assert.equal(await search.inputValue(), "");

  step("a long history is read while scrolling up, and nothing jumps");
  await page.reload();
  await messages(page).getByText("Entry 130:").waitFor();
  assert.ok((await messages(page).count()) <= 60);
  await screenshot(page, "history");
  const jumps = await page.evaluate(async () => {
    const scroller = document.querySelector(".scroller");
    const jumps = [];
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    while (!document.body.textContent.includes("Entry 1:")) {
      scroller.scrollTop -= 120;
      await frame();
      // Something in view must stay where it is when messages are added above.
      const anchor = [...document.querySelectorAll(".message")].find((one) => one.getBoundingClientRect().top > 100);
      const before = anchor.getBoundingClientRect().top;
      const count = document.querySelectorAll(".message").length;
      await frame();
      await frame();
      const added = document.querySelectorAll(".message").length - count;
      const moved = anchor.getBoundingClientRect().top - before;
      if (Math.abs(moved) > 1) jumps.push({ added, moved });
    }
    return jumps;
  });
  assert.deepEqual(jumps, []);
  assert.equal(await messages(page).count(), 130);
  await page.getByRole("button", { name: "Jump to the newest message" }).click();
  await page.getByRole("button", { name: "Jump to the newest message" }).waitFor({ state: "detached" });
  assert.deepEqual((await state(logbook)).unreadCount, 0);
  assert.deepEqual(faults, []);
  await browser.close();
});
