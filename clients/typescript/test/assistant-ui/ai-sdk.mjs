// assistant-ui's runtime for the AI SDK in a browser: its messages are those of the AI SDK in Scrollback.

import assert from "node:assert/strict";
import { convertToModelMessages, createUIMessageStreamResponse, streamText, toUIMessageStream } from "ai";
import { createChatStore } from "scrollback-client/ai-sdk";
import { launch } from "../../../../tests/clients/browser.mjs";
import { bundle, serve } from "../ai-sdk/chat-server.mjs";
import { connect, run, step, stored } from "../ai-sdk/common.mjs";
import { ScriptedModel } from "../ai-sdk/model.mjs";
import { opener, proxy, settled, state } from "./common.mjs";

const client = connect();
const script = new ScriptedModel();

/** The application's route, which stores nothing. */
async function answer(request, path) {
  if (path !== "/api/chat") return proxy(request);
  const { messages } = await request.json();
  const { stream } = streamText({ model: script.model, messages: await convertToModelMessages(messages) });
  return createUIMessageStreamResponse({ stream: toUIMessageStream({ stream }) });
}

await run("assistant-ui with the AI SDK", async () => {
  step("ask");
  const address = await serve(await bundle(new URL("page.tsx", import.meta.url).pathname), answer);
  const browser = await launch();
  const context = await browser.newContext();
  const faults = [];
  const open = opener(context, address, faults);
  const one = await open("one", "&ai-sdk");
  const append = (text) => one.evaluate((text) => void window.runtime.thread.append(text), text);
  await append("What is a harbour?");
  const reply = async (text) => {
    const said = await script.answer();
    said.think("Hm.", { providerMetadata: { mock: { signature: "s" } } });
    said.begin(text).end();
    said.end();
  };
  await reply("A place for ships.");
  await settled(one, 2, "A place for ships.");
  const found = await one.waitForFunction(() => window.runtime.threads.mainItem.getState().remoteId);
  const id = await found.jsonValue();
  const count = async (most) => {
    while ((await client.conversation(id)).messageCount < most) await client.message(id);
  };
  await count(2);

  step("the parts have their types, and are messages of the AI SDK");
  const [question, answered] = await stored(id);
  assert.deepEqual([question.content, answered.content], ["What is a harbour?", "A place for ships."]);
  const types = answered.parts.map(({ __typename }) => __typename);
  assert.deepEqual(types, ["CustomPart", "ReasoningPart", "TextPart"]);
  assert.deepEqual(answered.parts[1].extra.providerMetadata, { mock: { signature: "s" } });
  const [, message] = await createChatStore(client).loadMessages(id);
  assert.deepEqual(message.parts.map(({ type }) => type), ["step-start", "reasoning", "text"]);

  step("regenerate: a version");
  await one.evaluate(() => window.runtime.thread.getMessageByIndex(1).reload());
  await reply("Where ships rest.");
  await settled(one, 2, "Where ships rest.");
  await count(3);
  assert.equal((await stored(id)).at(-1).siblings.length, 2);

  step("load it in another tab");
  const two = await open("two", "&ai-sdk");
  await two.evaluate((id) => window.runtime.threads.switchToThread(id), id);
  await settled(two, 2, "Where ships rest.");
  const shown = (messages) => messages.map(({ id, role, content }) => ({ id, role, content }));
  assert.deepEqual(shown(await state(two)), shown(await state(one)));

  assert.deepEqual(faults, []);
  await browser.close();
});
