// What the journeys share: the chat's own server, a browser with a user who is signed in, and what is on the page.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { launch, watch } from "../../../tests/clients/browser.mjs";
import { url } from "../../../tests/clients/common.mjs";

export { authorization, post, run, step, url } from "../../../tests/clients/common.mjs";

const { CHAT_PORT = "5398", CHAT_SCROLLBACK_SECRET, SCREENSHOTS } = process.env;
const SERVER = new URL("../dist/server/main.js", import.meta.url).pathname;

/** Where the chat is. */
export const chatUrl = `http://127.0.0.1:${CHAT_PORT}`;

/** Starts the chat's server, as `npm start` does, with the Scrollback of the test. */
export async function startChat(wordDelayMs = 20) {
  const environment = { CHAT_PORT, CHAT_SCROLLBACK_SECRET, CHAT_SCROLLBACK_URL: url, CHAT_WORD_DELAY_MS: wordDelayMs };
  const child = spawn("node", [SERVER], { env: { ...process.env, ...environment }, stdio: ["ignore", "pipe", "inherit"] });
  process.on("exit", () => child.kill());
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith("The chat is at")) return;
  }
  assert.fail("the chat's server has ended");
}

export const startBrowser = () => launch();

/** A browser window in which ada is signed in. What goes wrong in it is noted in `faults`. */
export async function signedIn(browser, options = {}, faults = []) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await openTab(context, faults);
  await page.getByLabel("Name").fill("ada");
  await page.getByRole("button", { name: "Sign in" }).click();
  await composer(page).waitFor();
  return { context, page, faults };
}

/** Another tab of the same browser window. */
export async function openTab(context, faults, path = "/") {
  const page = await context.newPage();
  page.setDefaultTimeout(45_000);
  watch(page, faults);
  await page.goto(chatUrl + path);
  return page;
}

export const composer = (page) => page.getByLabel("Message", { exact: true });
export const messages = (page) => page.locator(".messages > article");
export const answers = (page) => page.locator(".messages > article.is-assistant");
export const answer = (page, number) => answers(page).nth(number);
export const item = (page, title) => page.locator(".item").filter({ hasText: title });

export async function ask(page, text) {
  await composer(page).fill(text);
  await composer(page).press("Enter");
}

/** Waits until the last message is an answer with a status. */
export async function ended(page, status = "COMPLETE") {
  await page.locator(`.messages > article.is-assistant[data-status=${status}]:last-of-type`).waitFor();
}

/** Waits until the last message is an answer that is being written, with so many characters at least. */
export async function streaming(page, length) {
  const isLongEnough = (length) => {
    const last = document.querySelector(".messages > article.is-assistant:last-of-type");
    return last?.dataset.status === "STREAMING" && last.textContent.length >= length;
  };
  await page.waitForFunction(isLongEnough, length);
}

/** Asks, and waits for the whole answer. */
export async function asked(page, text) {
  await ask(page, text);
  await messages(page).filter({ hasText: text }).last().waitFor();
  await ended(page);
}

/** Chooses from the menu of a conversation in the list. */
export async function choose(page, title, action) {
  await item(page, title).hover();
  await item(page, title).getByRole("button", { name: /^Options of/ }).click();
  await page.getByRole("menuitem", { name: action, exact: true }).click();
}

/** The texts of all messages. */
export const texts = (page) => messages(page).locator(".bubble, .text").allTextContents();

/** Fails if axe finds something that some people cannot use. */
export async function assertAccessible(page, state) {
  const axe = await readFile(new URL("../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
  // Not as an element, which the page's policy does not allow.
  await page.evaluate(`${axe}; undefined`);
  // Colours in the middle of a transition are not those that are read.
  await page.evaluate(async () => {
    const isEnding = (animation) => animation.effect?.getTiming().iterations !== Infinity;
    await Promise.allSettled(document.getAnimations().filter(isEnding).map(({ finished }) => finished));
  });
  const violations = await page.evaluate(async () => (await globalThis.axe.run()).violations);
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html}\n${failureSummary}`).join("\n")}`);
  assert.deepEqual(found, [], state);
}

export async function screenshot(page, name) {
  if (SCREENSHOTS) await page.screenshot({ path: `${SCREENSHOTS}/${name}.png` });
}
