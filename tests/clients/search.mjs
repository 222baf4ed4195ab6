// Somebody finds what they mean among imported conversations, with GraphiQL in a real browser.

import assert from "node:assert/strict";
import { launch, watch } from "./browser.mjs";
import { run, step, token, url } from "./common.mjs";

const SEARCH = `query Find($query: String!) {
  searchMessages(query: $query, first: 5) {
    indexing
    edges { snippet highlights { offset length } node { content conversation { title } } }
  }
}`;

// What is typed, and what the best match says. The words are in other forms, scripts and orders than in the messages.
const SEARCHES = [
  ["CHERNOBYL when", "Chernobyl"],
  ['"your name" -vicuna', "What is your name?"],
  ["deseriali* json python", "deserialize JSON"],
  ["introverted friend", "introverted friend"],
  ["quarterly 'financial", "Quarterly Financial Report"],
  ["больница", "Где находится больница?"],
  ["ΝΟΣΟΚΟΜΕΙΟ", "Πού είναι το νοσοκομείο;"],
  ["病院", "病院はどこですか"],
  ["المستشفى", "أين المُسْتَشْفَى؟"],
  ["โรงพยาบาล", "โรงพยาบาลอยู่ที่ไหน"],
];

const editor = (page, name) =>
  page.locator(`section[aria-label="${name}"] .graphiql-editor:not(.hidden) > .CodeMirror`);
const result = (page) => page.locator(".result-window .CodeMirror");

/** The answer to a query, as the page shows it. */
async function search(page, query) {
  await editor(page, "Variables").click();
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.insertText(JSON.stringify({ query }));
  const answered = page.waitForResponse((response) => (response.request().postData() ?? "").includes("Find"));
  await page.locator(".graphiql-execute-button").click();
  await answered;
  const shown = await page.waitForFunction((query) => {
    const text = document.querySelector(".result-window .CodeMirror")?.CodeMirror.getValue() ?? "";
    const sent = document.querySelector('section[aria-label="Variables"] .CodeMirror').CodeMirror.getValue();
    return text.includes('"searchMessages"') && sent.includes(JSON.stringify(query)) ? text : null;
  }, query);
  return JSON.parse(await shown.jsonValue()).data.searchMessages;
}

await run("search", async () => {
  step("open the page");
  const browser = await launch();
  const page = await (await browser.newContext({ viewport: { width: 1400, height: 900 } })).newPage();
  const faults = [];
  watch(page, faults);
  await page.goto(`${url}/#token=${token}`);
  await editor(page, "Headers").waitFor();

  step("type the query");
  await page.locator(".graphiql-query-editor .CodeMirror").click();
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.insertText(SEARCH);
  await page.getByRole("button", { name: "Variables", exact: true }).click();

  for (const [query, expected] of SEARCHES) {
    step(`search ${query}`);
    const { indexing, edges } = await search(page, query);
    assert.equal(indexing, false);
    const [best] = edges;
    assert.ok(best?.node.content.includes(expected), `${query}: ${JSON.stringify(edges.map((it) => it.snippet))}`);
    assert.ok(best.highlights.length > 0, query);
    for (const { offset, length } of best.highlights) {
      const marked = [...best.snippet].slice(offset, offset + length).join("");
      assert.ok(marked.length > 0 && best.node.content.includes(marked), `${query}: ${marked}`);
    }
  }
  if (process.env.SCREENSHOT) await page.screenshot({ path: process.env.SCREENSHOT });
  assert.ok((await result(page).count()) > 0);

  step("close");
  assert.deepEqual(faults, []);
  await browser.close();
});
