// `useChat` in a browser: an answer survives a reload, is seen in a second tab from another server, and is stopped there.

import assert from "node:assert/strict";
import { createUIMessageStreamResponse, convertToModelMessages, isStepCount, jsonSchema, streamText, toUIMessageStream, tool } from "ai";
import { createChatStore } from "scrollback-client/ai-sdk";
import { launch, watch } from "../../../../tests/clients/browser.mjs";
import { bundle, serve } from "./chat-server.mjs";
import { connect, newChat, run, step, stored } from "./common.mjs";
import { ScriptedModel } from "./model.mjs";

const client = connect();
const script = new ScriptedModel();
const weather = tool({
  inputSchema: jsonSchema({ type: "object", properties: { city: { type: "string" } } }),
  execute: async ({ city }) => ({ city, degrees: -3 }),
});
const pay = tool({ inputSchema: jsonSchema({ type: "object" }), execute: async () => "paid" });

/** What each of the application's servers does. */
function handlers() {
  const chats = createChatStore(connect());
  return async (request, path) => {
    const [, id, isStream] = /^\/api\/chat(?:\/([^/]+))?(\/stream)?$/.exec(path) ?? [];
    if (request.method === "DELETE") return Response.json(await chats.stopStream(id));
    if (isStream) {
      const stream = await chats.resumeStream(id);
      return stream ? createUIMessageStreamResponse({ stream }) : new Response(null, { status: 204 });
    }
    if (request.method === "GET") return Response.json(await chats.loadMessages(id));
    const body = await request.json();
    const messages = await chats.receiveMessages(body);
    const execute = async ({ abortSignal }) => {
      const { stream } = streamText({
        model: script.model,
        messages: await convertToModelMessages(messages),
        tools: { weather, pay },
        toolApproval: { pay: "user-approval" },
        stopWhen: isStepCount(5),
        abortSignal,
      });
      return toUIMessageStream({ stream, sendSources: true });
    };
    const stream = await chats.resumableStream({ chatId: body.id, messages, execute, model: "scripted" });
    return createUIMessageStreamResponse({ stream });
  };
}

const last = (text) => [...document.querySelectorAll("article[data-role=assistant]")].at(-1)?.textContent === text;
const shows = (tab, text) => tab.waitForFunction(last, text);
const is = (tab, status) => tab.locator(`main[data-status=${status}]`).waitFor({ state: "attached" });
const messagesOf = (tab) => tab.evaluate(() => JSON.parse(JSON.stringify(window.chat.messages)));
const ask = (tab, text) => tab.evaluate((text) => void window.chat.sendMessage({ text }), text);

await run("ai-sdk browser", async () => {
  step("open a tab");
  const page = await bundle(new URL("page.tsx", import.meta.url).pathname);
  const [here, there] = [await serve(page, handlers()), await serve(page, handlers())];
  const browser = await launch();
  const context = await browser.newContext();
  const faults = [];
  const open = async (address) => {
    const tab = await context.newPage();
    watch(tab, faults);
    await tab.goto(address);
    await tab.locator("main").waitFor({ state: "attached" });
    return tab;
  };
  const chatId = newChat();
  const one = await open(`${here}/#chat=${chatId}`);
  await is(one, "ready");

  step("ask, and see the answer begin");
  await ask(one, "How is the weather?");
  const thinking = await script.answer();
  thinking.think("I should look. ", { providerMetadata: { mock: { signature: "s1" } } });
  thinking.call("weather", { city: "Oslo" });
  const answer = await script.answer();
  answer.part({ type: "source", sourceType: "url", id: "src-1", url: "https://example.org/", title: "Weather" });
  const text = answer.begin("It is cold ");
  await shows(one, "It is cold ");

  step("reload in the middle, and open a second tab at another server");
  await one.reload();
  await shows(one, "It is cold ");
  const two = await open(`${there}/#chat=${chatId}`);
  await shows(two, "It is cold ");
  await Promise.all([is(one, "streaming"), is(two, "streaming")]);

  step("both tabs follow it to its end");
  text.more("in Oslo 🥶");
  await Promise.all([one, two].map((tab) => shows(tab, "It is cold in Oslo 🥶")));
  text.end();
  answer.end();
  await Promise.all([is(one, "ready"), is(two, "ready")]);
  const [shownHere, shownThere] = [await messagesOf(one), await messagesOf(two)];
  assert.deepEqual(shownThere, shownHere);
  const kinds = shownHere[1].parts.map(({ type }) => type);
  assert.deepEqual(kinds, ["step-start", "reasoning", "tool-weather", "step-start", "source-url", "text"]);
  const chats = createChatStore(connect());
  assert.deepEqual(await chats.loadMessages(chatId), shownHere);
  const [, whole] = await stored(chatId, "model");
  assert.deepEqual([whole.status, whole.content, whole.model], ["COMPLETE", "It is cold in Oslo 🥶", "scripted"]);

  step("stop the next answer from the other tab");
  await ask(one, "Tell me a story");
  const story = await script.answer();
  story.begin("Once upon a time ");
  await shows(one, "Once upon a time ");
  await two.reload();
  await shows(two, "Once upon a time ");
  await two.evaluate((id) => fetch(`/api/chat/${id}/stream`, { method: "DELETE" }), chatId);
  await Promise.all([is(one, "ready"), is(two, "ready")]);
  assert.ok(script.isAborted, "the model was aborted");
  const stopped = (await stored(chatId)).at(-1);
  assert.deepEqual([stopped.status, stopped.content], ["INTERRUPTED", "Once upon a time "]);
  await one.reload();
  await shows(one, "Once upon a time ");

  step("regenerate it: the answers are versions of each other");
  await one.evaluate(() => void window.chat.regenerate());
  const again = await script.answer();
  const other = again.begin("Another story");
  await shows(one, "Another story");
  other.end();
  again.end();
  await is(one, "ready");
  assert.equal((await stored(chatId)).at(-1).siblings.length, 2);
  assert.ok(!JSON.stringify(script.prompts.at(-1)).includes("Once upon"), "the model did not see the stopped answer");

  step("edit the question: it is a branch, and keeps its id in the SDK");
  const [, , question] = await messagesOf(one);
  await one.evaluate((messageId) => void window.chat.sendMessage({ text: "A short one", messageId }), question.id);
  const short = await script.answer();
  short.begin("The end.").end();
  await shows(one, "The end.");
  short.end();
  await is(one, "ready");
  const branch = await stored(chatId);
  assert.deepEqual(branch.map(({ content }) => content).slice(2), ["A short one", "The end."]);
  assert.equal(branch[2].siblings.length, 2);
  assert.deepEqual(await chats.loadMessages(chatId), await messagesOf(one));

  step("a tool waits for its approval, also after a reload");
  await one.goto(`${here}/#chat=${chatId}&last`);
  await one.reload();
  await is(one, "ready");
  await ask(one, "Pay the bill");
  const bill = await script.answer();
  bill.begin("I will pay.").end();
  await shows(one, "I will pay.");
  bill.call("pay", { amount: 3 });
  await is(one, "ready");
  await one.reload();
  await is(one, "ready");
  const [asked] = (await messagesOf(one)).slice(-1);
  const request = asked.parts.find(({ type }) => type === "tool-pay");
  assert.equal(request.state, "approval-requested");

  step("the answer goes on after the approval, and survives a reload there");
  await one.evaluate((id) => void window.chat.addToolApprovalResponse({ id, approved: true }), request.approval.id);
  const paid = await script.answer();
  const receipt = paid.begin("Paid ");
  await shows(one, "I will pay.|Paid ");
  await one.reload();
  await shows(one, "I will pay.|Paid ");
  receipt.more("in full.");
  receipt.end();
  paid.end();
  await shows(one, "I will pay.|Paid in full.");
  await is(one, "ready");
  const continued = await chats.loadMessages(chatId);
  assert.deepEqual(continued, await messagesOf(one));
  assert.equal(continued.at(-1).id, asked.id, "it is the same message");
  assert.equal(continued.at(-1).parts.find(({ type }) => type === "tool-pay").output, "paid");

  step("a model that fails");
  await ask(one, "And now?");
  const broken = await script.answer();
  broken.begin("Well ");
  await shows(one, "Well ");
  broken.fail(new Error("overloaded"));
  await is(one, "error");
  while ((await stored(chatId)).at(-1).status === "STREAMING") await client.conversation(chatId);
  const failed = (await stored(chatId)).at(-1);
  assert.deepEqual([failed.status, failed.content], ["FAILED", "Well "]);

  assert.deepEqual(faults, []);
  await browser.close();
});
