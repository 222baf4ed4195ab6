// Answers: what they consist of, how they fail, and that they need no open page.

import assert from "node:assert/strict";
import {
  answer, answers, ask, asked, assertAccessible, ended, openTab, post, run, signedIn, startBrowser, startChat, step, streaming,
  texts,
} from "./common.mjs";

const STORED = `query ($id: ID!) {
  conversation(id: $id) { title messages { nodes { id role content status usage { totalTokens } parts { __typename } } } }
}`;
const APPEND = `mutation ($input: AppendMessageInput!) { appendMessage(input: $input) { message { id } } }`;

const idOf = (page) => new URL(page.url()).pathname.split("/").at(-1);
const stored = async (page) => (await post(STORED, { id: idOf(page) })).conversation;

await run("answers", async () => {
  await startChat();
  const browser = await startBrowser();
  const { context, page, faults } = await signedIn(browser);

  step("an answer with reasoning, a tool, Markdown and its usage");
  await asked(page, "When is high tide at the harbour?");
  const first = answer(page, 0);
  assert.equal(await first.locator("tbody td").nth(1).textContent(), "08:11");
  assert.equal(await first.locator("strong").first().textContent(), "Harbour Mole");
  await first.getByText("Used tide_table").click();
  assert.match(await first.getByRole("region", { name: "Output" }).textContent(), /"14:32"/);
  await first.getByText("Reasoning", { exact: true }).click();
  assert.match(await first.locator("details p").first().textContent(), /tide table is needed/);
  const conversation = await stored(page);
  assert.equal(conversation.title, "When is high tide at the harbour?");
  assert.deepEqual(conversation.messages.nodes[1].parts.map((part) => part.__typename), ["ReasoningPart", "ToolPart", "TextPart"]);
  assert.ok(conversation.messages.nodes[1].usage.totalTokens > 0);

  step("code that can be copied");
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await asked(page, "Write a function");
  await answer(page, 1).getByRole("button", { name: "Copy the code" }).click();
  await answer(page, 1).getByRole("button", { name: "Copied" }).waitFor();
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^export function groupBy/);

  step("a model that fails, and works when it is asked again");
  await ask(page, "Please fail");
  await ended(page, "FAILED");
  await answers(page).last().getByText("The model failed").waitFor();
  await assertAccessible(page, "a failed answer");
  await answers(page).last().getByRole("button", { name: "Answer again" }).click();
  await ended(page);
  assert.match((await texts(page)).at(-1), /This time it works/);

  step("HTML in an answer is a text");
  const html = 'Before <img src="x" onerror="document.title = 1"> <script>document.title = 2</script> [link](javascript:alert(1)) after';
  await post(APPEND, { input: { conversationId: idOf(page), role: "ASSISTANT", content: html } });
  await answers(page).last().getByText("Before").waitFor();
  const last = answers(page).last();
  assert.equal(await last.locator("img, script").count(), 0);
  assert.equal(await last.getByText("link", { exact: true }).getAttribute("href"), "");
  assert.match(await last.textContent(), /<script>document.title = 2<\/script>/);

  step("an answer goes on when the page is closed");
  await ask(page, "Another long story");
  await streaming(page, 60);
  const path = new URL(page.url()).pathname;
  await page.close();
  const again = await openTab(context, faults, path);
  await ended(again);
  assert.match((await texts(again)).at(-1), /That is the end of the log\.$/);

  step("a conversation that does not exist");
  const missing = await openTab(context, [], "/c/00000000-0000-7000-8000-000000000000");
  await missing.getByRole("heading", { name: "There is no such conversation" }).waitFor();
  await assertAccessible(missing, "no such conversation");
  assert.deepEqual(faults, []);
  await browser.close();
});
