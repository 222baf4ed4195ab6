// What everybody can use: light and dark, wide and narrow, with a keyboard, and for axe.

import assert from "node:assert/strict";
import {
  answers, ask, asked, assertAccessible, chatUrl, composer, ended, item, messages, run, screenshot, signedIn, startBrowser, startChat, step,
} from "./common.mjs";

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };

/** Whether nothing makes the page scroll sideways. */
const fits = (page) => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);
const focused = (page) => page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent);
const background = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);

async function look(browser, colorScheme, device) {
  const isPhone = device === "phone";
  const name = (state) => `${state}, ${colorScheme}, ${device}`;
  const check = async (page, state) => {
    await assertAccessible(page, name(state));
    assert.ok(await fits(page), name(state));
    await screenshot(page, `${state}-${colorScheme}-${device}`);
  };
  const { context, page, faults } = await signedIn(browser, { colorScheme, reducedMotion: "reduce", ...(isPhone ? PHONE : {}) });
  await check(page, "welcome");
  await page.getByRole("button", { name: "When is high tide?", exact: true }).click();
  await ended(page);
  await asked(page, "Write a function");
  await answers(page).nth(1).getByRole("button", { name: "Answer again" }).click();
  await page.getByText("2/2").waitFor();
  await ended(page);
  await check(page, "conversation");
  if (isPhone) await page.getByRole("button", { name: "Conversations" }).click();
  await item(page, "When is high tide?").first().waitFor();
  await check(page, "list");
  await page.getByRole("searchbox").fill("tide");
  await page.getByRole("region", { name: "Found messages" }).locator("mark").first().waitFor();
  await check(page, "found");
  await page.getByRole("button", { name: "Clear the search" }).click();
  await item(page, "When is high tide?").first().getByRole("button").click();
  await check(page, "menu");
  await page.getByRole("menuitem", { name: "Rename" }).click();
  await check(page, "dialog");
  await page.keyboard.press("Escape");
  assert.deepEqual(faults, []);
  await context.close();
}

await run("look", async () => {
  await startChat(5);
  const browser = await startBrowser();

  step("the sign-in");
  const guest = await browser.newContext({ colorScheme: "dark" });
  const start = await guest.newPage();
  await start.goto(chatUrl);
  await start.getByLabel("Name").fill("not a name");
  await start.keyboard.press("Enter");
  await start.getByText("A name has 1 to 64 letters").waitFor();
  await assertAccessible(start, "sign-in");
  await guest.close();

  for (const colorScheme of ["light", "dark"]) {
    for (const device of ["desktop", "phone"]) {
      step(`${colorScheme}, ${device}`);
      await look(browser, colorScheme, device);
    }
  }

  step("the theme can be chosen, and is kept");
  const { context, page } = await signedIn(browser, { colorScheme: "light" });
  const light = await background(page);
  await page.getByRole("button", { name: "Theme: system" }).click();
  await page.getByRole("button", { name: "Theme: light" }).click();
  const dark = await background(page);
  assert.notEqual(dark, light);
  await page.reload();
  await composer(page).waitFor();
  assert.equal(await background(page), dark);

  step("only the keyboard: skip, search, open, menu, write");
  await page.evaluate(() => document.querySelector("a, button, input, textarea").focus());
  assert.equal(await focused(page), "Skip to the message field");
  await page.keyboard.press("Enter");
  assert.equal(await focused(page), "Message");
  await composer(page).pressSequentially("One");
  await composer(page).press("Shift+Enter");
  await composer(page).pressSequentially("Two");
  await composer(page).press("Enter");
  await messages(page).first().getByText("One\nTwo").waitFor();
  await ended(page);
  await page.keyboard.press("ControlOrMeta+k");
  assert.equal(await focused(page), "Search titles and messages");
  await page.keyboard.type("two");
  await page.getByRole("region", { name: "Found messages" }).locator("mark").first().waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.locator(".is-revealed").waitFor();
  await page.keyboard.press("ControlOrMeta+k");
  await page.keyboard.press("Escape");
  const options = page.locator(".item").first().getByRole("button");
  await options.focus();
  await page.keyboard.press("Enter");
  assert.equal(await focused(page), "Rename");
  await page.keyboard.press("ArrowDown");
  assert.equal(await focused(page), "Pin");
  await page.keyboard.press("End");
  assert.equal(await focused(page), "Move to the trash");
  await page.keyboard.press("Escape");
  assert.match(await focused(page), /^Options of/);
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
  await page.keyboard.press("Escape");
  assert.match(await focused(page), /^Options of/);
  await page.keyboard.press("ControlOrMeta+Shift+O");
  await page.getByRole("heading", { name: "What would you like to know?" }).waitFor();
  await page.waitForFunction(() => document.activeElement.id === "composer");
  await context.close();

  step("the drawer of a phone keeps the focus, and gives it back");
  const phone = await signedIn(browser, PHONE);
  await phone.page.getByRole("button", { name: "Conversations" }).click();
  assert.equal(await phone.page.locator("main").evaluate((main) => main.inert), true);
  assert.equal(await focused(phone.page), "Close the list");
  await phone.page.keyboard.press("Escape");
  assert.equal(await focused(phone.page), "Conversations");
  assert.equal(await phone.page.locator(".sidebar").evaluate((sidebar) => sidebar.inert), true);
  await ask(phone.page, "Hello");
  await ended(phone.page);
  await browser.close();
});
