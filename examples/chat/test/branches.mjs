// Answers that are stopped and written again, questions that are edited: each version is a branch.

import assert from "node:assert/strict";
import {
  answer, answers, ask, asked, composer, ended, messages, post, run, screenshot, signedIn, startBrowser, startChat, step,
  streaming, texts,
} from "./common.mjs";

const LAST = "query ($id: ID!) { conversation(id: $id) { messages(last: 1) { nodes { content status } } } }";

const idOf = (page) => new URL(page.url()).pathname.split("/").at(-1);
const lastStored = async (page) => (await post(LAST, { id: idOf(page) })).conversation.messages.nodes[0];
const count = (page, number) => answer(page, number).locator(".versions-count");

await run("branches", async () => {
  await startChat();
  const browser = await startBrowser();
  const { page, faults } = await signedIn(browser);
  await asked(page, "When is high tide at the harbour?");

  step("stop with the button, then with Escape");
  await ask(page, "Tell me a long story");
  await streaming(page, 120);
  await page.getByRole("button", { name: "Stop the answer" }).click();
  await ended(page, "INTERRUPTED");
  await answer(page, 1).getByText("This answer was stopped.").waitFor();
  const stopped = await lastStored(page);
  assert.equal(stopped.status, "INTERRUPTED");
  assert.ok(stopped.content.length > 100 && stopped.content.length < 1500);

  step("another answer to the same question, stopped with Escape");
  await answer(page, 1).getByRole("button", { name: "Answer again" }).click();
  await page.waitForFunction(() => document.querySelector(".versions-count")?.textContent === "2/2");
  await streaming(page, 60);
  await composer(page).press("Escape");
  await ended(page, "INTERRUPTED");
  assert.equal(await answers(page).count(), 2);

  step("back to the first answer, and forth");
  const shown = () => answer(page, 1).locator(".text").innerText();
  const second = await shown();
  await page.getByRole("button", { name: "Previous version" }).click();
  await count(page, 1).getByText("1/2").waitFor();
  assert.notEqual(await shown(), second);
  await page.getByRole("button", { name: "Next version" }).click();
  await count(page, 1).getByText("2/2").waitFor();
  assert.equal(await shown(), second);

  step("edit the first question, which begins a branch of its own");
  const before = await texts(page);
  await messages(page).first().getByRole("button", { name: "Edit the question" }).click();
  const field = page.getByRole("textbox", { name: "Edit the question" });
  assert.equal(await field.inputValue(), "When is high tide at the harbour?");
  await field.press("Escape");
  await field.waitFor({ state: "detached" });
  await messages(page).first().getByRole("button", { name: "Edit the question" }).click();
  await field.fill("What can I ask for?");
  await field.press("Enter");
  await messages(page).first().getByText("What can I ask for?").waitFor();
  await ended(page);
  assert.equal(await messages(page).count(), 2);
  assert.equal(await messages(page).first().locator(".versions-count").textContent(), "2/2");

  step("the old branch is whole, after a reload too");
  await page.reload();
  await ended(page);
  await page.getByRole("button", { name: "Previous version" }).click();
  await messages(page).nth(3).waitFor();
  assert.deepEqual(await texts(page), before);
  await screenshot(page, "branches");
  await page.getByRole("button", { name: "Next version" }).first().click();
  await messages(page).nth(3).waitFor({ state: "detached" });

  step("the last question can be edited from the empty field");
  await composer(page).press("ArrowUp");
  await field.press("Escape");
  assert.deepEqual(faults, []);
  await browser.close();
});
