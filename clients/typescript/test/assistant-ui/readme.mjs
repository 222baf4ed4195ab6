// The README's section about assistant-ui, word for word: its module is the page.

import assert from "node:assert/strict";
import { createUIMessageStreamResponse, convertToModelMessages, streamText, toUIMessageStream } from "ai";
import { launch, watch } from "../../../../tests/clients/browser.mjs";
import { serve } from "../ai-sdk/chat-server.mjs";
import { connect, run, step, stored, token } from "../ai-sdk/common.mjs";
import { ScriptedModel } from "../ai-sdk/model.mjs";
import { bundle } from "../readme.mjs";
import { proxy } from "./common.mjs";

const threads = `
import { useAui } from "@assistant-ui/react";
import { createRoot } from "react-dom/client";
import { Threads } from "./threads.js";
function Inside() {
  Object.assign(window, { aui: useAui() });
  return "ready";
}
createRoot(document.getElementById("root")!).render(<Threads><Inside /></Threads>);
`;

const client = `
import { createClient } from "scrollback-client";
export const client = createClient({ url: location.origin, token: location.hash.slice(1) });
`;

const script = new ScriptedModel();

/** The application's route, which only answers. */
async function handle(request, path) {
  if (path === "/graphql") return proxy(request);
  const { messages } = await request.json();
  const { stream } = streamText({ model: script.model, messages: await convertToModelMessages(messages) });
  return createUIMessageStreamResponse({ stream: toUIMessageStream({ stream }) });
}

await run("assistant-ui readme", async () => {
  step("open the page");
  const address = await serve(await bundle(threads, "browser", { "client.ts": client }), handle);
  const browser = await launch();
  const faults = [];
  const tab = await browser.newPage();
  watch(tab, faults);
  await tab.goto(`${address}/#${token}`);
  await tab.waitForFunction(() => window.aui?.threads.getState().isLoading === false);

  step("ask: a thread with its messages and a title");
  await tab.evaluate(() => void window.aui.thread.append("A story for the list"));
  const answer = await script.answer();
  answer.begin("Once upon a time").end();
  answer.end();
  const found = await tab.waitForFunction(() => window.aui.threadListItem.getState().remoteId);
  const id = await found.jsonValue();
  await tab.waitForFunction(() => window.aui.threadListItem.getState().title === "A story for the list");
  const server = connect();
  while ((await server.conversation(id)).messageCount < 2);
  assert.deepEqual((await stored(id)).map(({ content }) => content), ["A story for the list", "Once upon a time"]);
  assert.deepEqual(faults, []);
  await browser.close();
});
