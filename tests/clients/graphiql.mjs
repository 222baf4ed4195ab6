// The page at / in a real browser: GraphiQL with the token of the link, and without.

import assert from "node:assert/strict";
import { launch, watch } from "./browser.mjs";
import { Inbox, post, run, step, token, untilLive, url, wsUrl } from "./common.mjs";

const { SCREENSHOT } = process.env;

const viewport = { width: 1400, height: 900 };

/** A page in a profile of its own, and what it did that it must not do. */
async function open(browser, address) {
  const context = await browser.newContext({ viewport });
  const page = await context.newPage();
  const faults = [];
  const frames = { sent: new Inbox(), received: new Inbox() };
  watch(page, faults);
  page.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol !== "data:" && origin !== new URL(url).origin) faults.push(`request to ${request.url()}`);
  });
  page.on("websocket", (socket) => {
    if (socket.url() !== wsUrl) faults.push(`socket to ${socket.url()}`);
    socket.on("framesent", ({ payload }) => frames.sent.push(JSON.parse(payload)));
    socket.on("framereceived", ({ payload }) => frames.received.push(JSON.parse(payload)));
  });
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
      console.error(`policy violated: ${violatedDirective} ${blockedURI}`),
    );
  });
  await page.goto(address);
  return { page, faults, frames };
}

const tab = (page, name) => page.getByRole("tab", { name, exact: true });
const tool = (page, name) => page.getByRole("button", { name, exact: true });
const editor = (page, name) =>
  page.locator(`section[aria-label="${name}"] .graphiql-editor:not(.hidden) > .CodeMirror`);
const execute = (page) => page.locator(".graphiql-execute-button").click();
const text = (locator) => locator.evaluate((element) => element.CodeMirror.getValue());
const result = (page) => page.locator(".result-window .CodeMirror");

/** Waits until the result pane holds all the fragments. */
async function shows(page, ...fragments) {
  await page.waitForFunction((fragments) => {
    const shown = document.querySelector(".result-window .CodeMirror")?.CodeMirror.getValue() ?? "";
    return fragments.every((fragment) => shown.includes(fragment));
  }, fragments);
}

async function setVariables(page, variables) {
  await tool(page, "Variables").click();
  await editor(page, "Variables").click();
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.insertText(JSON.stringify(variables));
}

await run("graphiql", async () => {
  step("start the browser");
  const browser = await launch();

  step("make a conversation");
  const { viewer } = await post("{ viewer { id } }");
  const { conversation } = (
    await post(`mutation { createConversation(input: { title: "graphiql" }) { conversation { id } } }`)
  ).createConversation;
  const append = (content) =>
    post("mutation ($input: AppendMessageInput!) { appendMessage(input: $input) { message { id } } }", {
      input: { conversationId: conversation.id, role: "USER", content },
    });

  step("open the page with a token");
  const { page, faults, frames } = await open(browser, `${url}/#token=${token}`);
  await editor(page, "Headers").waitFor();
  assert.equal(await page.title(), "Scrollback");
  assert.equal(page.url(), `${url}/`, "the token is out of the address");
  assert.deepEqual(JSON.parse(await text(editor(page, "Headers"))), { Authorization: `Bearer ${token}` });

  step("run the first query");
  await execute(page);
  await shows(page, '"viewer"', `"id": "${viewer.id}"`, conversation.id);

  step("reload: the token stays in this tab, and in no other");
  await page.reload();
  await editor(page, "Headers").waitFor();
  await execute(page);
  await shows(page, `"id": "${viewer.id}"`);
  const stored = await page.evaluate(() => JSON.stringify(localStorage));
  assert.ok(stored.includes("Conversations"), "tabs are kept");
  assert.ok(!stored.includes(token), "the token is not");

  step("subscribe in the tab Follow");
  await tab(page, "Follow").click();
  assert.match(await text(editor(page, "Query Editor")), /subscription Follow/);
  await setVariables(page, { id: conversation.id });
  await execute(page);
  await frames.sent.until((sent) => sent.some(({ type }) => type === "subscribe"));
  const [init] = frames.sent.items;
  assert.deepEqual(init, { type: "connection_init", payload: { Authorization: `Bearer ${token}` } });

  step("see an appended message");
  const arrived = new Inbox();
  frames.received
    .until((received) => received.some(({ type }) => ["next", "error", "complete"].includes(type)))
    .then((received) => {
      const { type, payload } = received.find(({ type }) => !["connection_ack", "ping", "pong"].includes(type));
      if (type === "next") arrived.push(payload);
      else arrived.fail(new Error(`the subscription ended: ${type} ${JSON.stringify(payload)}`));
    });
  await untilLive(arrived, append);
  await append("Seen in GraphiQL");
  await shows(page, '"messageAdded"', "Seen in GraphiQL");
  if (SCREENSHOT) await page.screenshot({ path: SCREENSHOT });

  step("the settings, which bring styles of their own");
  await execute(page);
  await tool(page, "Open settings dialog").click();
  await page.getByRole("dialog").waitFor();
  assert.equal(await page.getByText("Persist headers").count(), 0);
  assert.deepEqual(faults, [], "nothing was refused, and nothing came from elsewhere");

  step("open the page without a token");
  const bare = await open(browser, `${url}/graphiql`);
  await editor(bare.page, "Headers").waitFor();
  assert.match(await text(editor(bare.page, "Headers")), /scrollback token --user ada/);
  await execute(bare.page);
  await shows(bare.page, "UNAUTHENTICATED");

  step("paste a token: the schema is read again, and the other tabs have it");
  const schema = bare.page.waitForResponse((response) => response.ok() && response.request().postData()?.includes("__schema"));
  await editor(bare.page, "Headers").click();
  await bare.page.keyboard.press("ControlOrMeta+A");
  await bare.page.keyboard.insertText(JSON.stringify({ Authorization: `Bearer ${token}` }));
  await execute(bare.page);
  await shows(bare.page, `"id": "${viewer.id}"`);
  await schema;
  await tab(bare.page, "Create").click();
  await execute(bare.page);
  await shows(bare.page, '"createConversation"');
  const others = bare.faults.filter((fault) => !/status of 401/.test(fault));
  assert.deepEqual(others, [], "nothing but the refusals");

  await browser.close();
});
