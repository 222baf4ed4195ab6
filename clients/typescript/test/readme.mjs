// The sections of the README about the AI SDK and assistant-ui, word for word: their modules are the application.

import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { build } from "esbuild";
import { launch, watch } from "../../../tests/clients/browser.mjs";
import { serve } from "./ai-sdk/chat-server.mjs";
import { connect, httpUrl, newChat, run, step, stored, token } from "./ai-sdk/common.mjs";
import { proxy } from "./assistant-ui/common.mjs";

const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
const blocks = readme.matchAll(/^```tsx? (\S+)\n([\s\S]*?)^```$/gm);
const modules = new Map(Array.from(blocks, ([, name, text]) => [name, text]));

/** Bundles a module of the test with those of the README. */
async function bundle(contents, platform, more = {}) {
  const resolveDir = new URL(".", import.meta.url).pathname;
  const texts = new Map([...modules, ...Object.entries(more)]);
  const plugin = {
    name: "readme",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^\.\/.*\.js$/ }, ({ path, importer, namespace }) => {
        if (namespace !== "readme" && importer !== "<stdin>") return undefined;
        const name = [".ts", ".tsx"].map((end) => path.slice(2).replace(/\.js$/, end)).find((name) => texts.has(name));
        return { path: name, namespace: "readme" };
      });
      onLoad({ filter: /.*/, namespace: "readme" }, ({ path }) => ({ contents: texts.get(path), loader: "tsx", resolveDir }));
    },
  };
  const { outputFiles } = await build({
    stdin: { contents, loader: "tsx", resolveDir },
    bundle: true,
    write: false,
    format: "esm",
    platform,
    target: "es2022",
    jsx: "automatic",
    logLevel: "silent",
    plugins: [plugin],
    ...(platform === "browser" ? { define: { "process.env.NODE_ENV": '"development"' } } : { packages: "external" }),
  });
  return outputFiles[0].text;
}

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

await run("readme", async () => {
  step("the modules");
  process.env.TOKEN = token;
  modules.set("client.ts", modules.get("client.ts").replace("http://127.0.0.1:8000/graphql", httpUrl));
  // In the package, so that its name means it.
  const file = new URL(`../dist/.readme-${process.pid}.mjs`, import.meta.url);
  await writeFile(file, await bundle(handlers, "node"));
  const application = await import(file.href).finally(() => rm(file));
  let isSimple = false;
  const handle = async (request, path) => {
    const [, id, isStream] = /^\/api\/chat(?:\/([^/]+))?(\/stream)?$/.exec(path) ?? [];
    const context = { params: Promise.resolve({ id }) };
    if (path === "/graphql") return proxy(request);
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

  step("the threads of assistant-ui");
  const client = `import { createClient } from "scrollback-client";
    export const client = createClient({ url: location.origin, token: location.hash.slice(1) });`;
  const list = await open(`${await serve(await bundle(threads, "browser", { "client.ts": client }), handle)}/#${token}`);
  await list.waitForFunction(() => window.aui?.threads.getState().isLoading === false);
  await list.evaluate(() => void window.aui.thread.append("A story for the list"));
  const found = await list.waitForFunction(() => window.aui.threadListItem.getState().remoteId);
  const id = await found.jsonValue();
  const server = connect();
  while ((await server.conversation(id)).messageCount < 2);
  await list.waitForFunction(() => window.aui.threadListItem.getState().title === "A story for the list");
  const texts = (await stored(id)).map(({ content }) => content);
  assert.deepEqual(texts, ["A story for the list", "Once upon a time there was a harbour by the sea, with a lighthouse."]);

  assert.deepEqual(faults, []);
  await browser.close();
});
