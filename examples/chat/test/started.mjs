// The chat as its README starts it: see tests/it/chat_example.rs.

import assert from "node:assert/strict";
import { answers, asked, run, signedIn, startBrowser } from "./common.mjs";

await run("started", async () => {
  const browser = await startBrowser();
  const { page, faults } = await signedIn(browser);
  await asked(page, "When is high tide?");
  assert.equal(await answers(page).count(), 1);
  assert.deepEqual(faults, []);
  await browser.close();
});
