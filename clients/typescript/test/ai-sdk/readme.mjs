// The README's section about the AI SDK, word for word: its modules are the application.

import assert from "node:assert/strict";
import { rm, writeFile } from "node:fs/promises";
import { launch, watch } from "../../../../tests/clients/browser.mjs";
import { bundle, modules } from "../readme.mjs";
import { serve } from "./chat-server.mjs";
import { httpUrl, newChat, run, step, stored, token } from "./common.mjs";

const handlers = `
import { POST } from "./route.js";
import { POST as simple } from "./simple-route.js";
import { DELETE, GET } from "./stream-route.js";
import { chats } from "./chats.js";
export { POST, simple, GET, DELETE, chats };
`;

const page = `
import { createRoot } from "react-dom/client";
import { Chat } from "./chat.js";
const id = location.hash.slice(1);
const stored = await (await fetch("/api/chat/" + id)).json();
createRoot(document.getElementById("root")!).render(<Chat id={id} stored={stored} />);
`;

await run("ai-sdk readme", async () => {
  step("the modules");
  process.env.TOKEN = token;
  modules.set("client.ts", modules.get("client.ts").replace("http://127.0.0.1:8000/graphql", httpUrl));
  // In the package, so that its name means it.
  const file = new URL(`../../dist/.readme-${process.pid}.mjs`, import.meta.url);
  await writeFile(file, await bundle(handlers, "node"));
  const application = await import(file.href).finally(() => rm(file));
  let isSimple = false;
  const handle = async (request, path) => {
    const [, id, isStream] = /^\/api\/chat(?:\/([^/]+))?(\/stream)?$/.exec(path) ?? [];
    const context = { params: Promise.resolve({ id }) };
    if (request.method === "POST") return isSimple ? application.simple(request) : application.POST(request);
    if (request.method === "DELETE") return application.DELETE(request, context);
    return isStream ? application.GET(request, context) : Response.json(await application.chats.loadMessages(id));
  };
  const browser = await launch();
  const faults = [];
  const open = async (address) => {
    const tab = await browser.newPage();
    watch(tab, faults);
    await tab.goto(address);
    return tab;
  };
  const shows = (tab, text, count = 1) =>
    tab.waitForFunction(
      ([text, count]) => document.querySelectorAll("p.assistant")[count - 1]?.textContent.startsWith(text),
      [text, count],
    );
  const ask = async (tab, text) => {
    await tab.getByPlaceholder("Ask something").fill(text);
    await tab.getByPlaceholder("Ask something").press("Enter");
  };

  step("ask, reload in the middle, and see the end");
  const address = await serve(await bundle(page, "browser"), handle);
  const chatId = newChat();
  const tab = await open(`${address}/#${chatId}`);
  await ask(tab, "A story, please");
  await shows(tab, "Once upon ");
  await tab.reload();
  await shows(tab, "Once upon a time there was a harbour by the sea, with a lighthouse.");
  await tab.getByRole("button", { name: "Stop" }).waitFor({ state: "detached" });
  assert.deepEqual((await stored(chatId)).map(({ status }) => status), ["COMPLETE", "COMPLETE"]);

  step("stop the next one");
  await ask(tab, "Another one");
  await shows(tab, "Once upon ", 2);
  await tab.getByRole("button", { name: "Stop" }).click();
  await tab.getByRole("button", { name: "Stop" }).waitFor({ state: "detached" });
  const stopped = (await stored(chatId)).at(-1);
  assert.equal(stopped.status, "INTERRUPTED");
  assert.ok(stopped.content.length < 60);

  step("the route without resumable streams");
  isSimple = true;
  const simpleId = newChat();
  const plain = await open(`${address}/#${simpleId}`);
  await ask(plain, "A story");
  await shows(plain, "Once upon a time there was a harbour by the sea, with a lighthouse.");
  await plain.getByRole("button", { name: "Stop" }).waitFor({ state: "detached" });
  assert.deepEqual((await stored(simpleId)).map(({ role }) => role), ["USER", "ASSISTANT"]);

  assert.deepEqual(faults, []);
  await browser.close();
});
