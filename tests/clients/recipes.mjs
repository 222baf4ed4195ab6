// The recipe of docs/clients/RECIPE.md: its modules are compiled strictly, and run over a network that breaks.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { transformAsync } from "@babel/core";
import WebSocket from "ws";
import { withProject } from "./build.mjs";
import { httpUrl, post, run, step, token } from "./common.mjs";
import { Network, append, breakOften, create, remove } from "./network.mjs";

globalThis.WebSocket = WebSocket;
const { RECIPE } = process.env;

/** Writes the files of a page: its blocks whose info has a path, such as `ts src/client.ts`. */
async function extract(folder) {
  const page = await readFile(new URL(`../../docs/clients/${RECIPE}.md`, import.meta.url), "utf8");
  const files = [...page.matchAll(/^```\w+ ([\w./-]+\.\w+)\n(.*?)^```$/gms)];
  assert.ok(files.length > 3);
  for (const [, path, text] of files) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  await copyFile(new URL("recipes/tsconfig.json", import.meta.url), join(folder, "tsconfig.json"));
  await copyFile(new URL("../../schema.graphql", import.meta.url), join(folder, "schema.graphql"));
  await writeFile(join(folder, "package.json"), JSON.stringify({ type: RECIPE === "relay" ? "commonjs" : "module" }));
  if (existsSync(join(folder, "scripts/schema.js"))) execFileSync(process.execPath, ["scripts/schema.js"], { cwd: folder });
}

/** Does what bundlers do with Relay's templates. */
async function transform(folder) {
  if (RECIPE !== "relay") return;
  for (const name of (await readdir(join(folder, "dist"))).filter((name) => name.endsWith(".js"))) {
    const path = join(folder, "dist", name);
    // The plugin knows the template as it was before TypeScript made a module of CommonJS of it.
    const text = (await readFile(path, "utf8")).replaceAll(/\(0, relay_runtime_1\.graphql\)\s*`/g, "graphql`");
    const { code } = await transformAsync(text, { babelrc: false, configFile: false, plugins: [["relay", { eagerEsModules: false }]], filename: path, cwd: folder });
    await writeFile(path, code);
  }
}

/** A conversation as a page shows it. */
async function show({ open }, url, id, last = 3) {
  const chat = await open(url, token, id, last);
  const waiting = new Set();
  chat.onChange(() => {
    for (const check of waiting) check();
  });
  /** Waits until the messages that are shown are as expected. */
  const until = (isReady) => new Promise((resolve) => {
    const check = () => isReady(chat.messages()) && (waiting.delete(check), resolve(chat.messages()));
    waiting.add(check);
    check();
  });
  return { ...chat, until };
}

const parts = [{ reasoning: { text: "Hm." } }, { text: { text: "Two parts" } }, { data: { name: "seat", data: { row: 4 } } }];

async function test(recipe) {
  const network = new Network();
  const url = await network.listen("http");
  const { id } = await create();
  for (let number = 2; number <= 7; number++) await append(id, `message ${number}`);
  const turn = "mutation ($input: AppendMessageInput!) { appendMessage(input: $input) { message { id } } }";
  await post(turn, { input: { conversationId: id, role: "ASSISTANT", parts } });

  step("pages are merged");
  const chat = await show(recipe, url, id);
  assert.deepEqual(chat.messages().map(({ position }) => position), [6, 7, 8]);
  while (chat.hasOlder()) {
    const before = chat.messages().length;
    await chat.fetchOlder();
    await chat.until((messages) => messages.length > before);
  }
  const positions = () => chat.messages().map(({ position }) => position);
  assert.deepEqual(positions(), [1, 2, 3, 4, 5, 6, 7, 8]);

  step("fragments match their types");
  const texts = chat.messages()[7].parts.map(({ __typename, text }) => [__typename, text]);
  assert.deepEqual(texts, [["ReasoningPart", "Hm."], ["TextPart", "Two parts"], ["DataPart", undefined]]);

  step("a message is shown at once, and stored once although its response is lost");
  network.hold();
  const appending = chat.append("optimistic");
  const [shown] = (await chat.until((messages) => messages.length === 9)).slice(-1);
  assert.deepEqual([shown.content, shown.position], ["optimistic", 9]);
  network.cut();
  const stored = await appending;
  assert.equal(stored.id, shown.id);
  assert.deepEqual(positions(), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const { conversation } = await post("query ($id: ID!) { conversation(id: $id) { messageCount } }", { id });
  assert.equal(conversation.messageCount, 9);

  step("new messages arrive once and in order over a network that breaks");
  const controller = new AbortController();
  const following = chat.follow(controller.signal);
  let count = 9;
  const send = async (content) => (await append(id, content), (count += 1));
  const received = () => chat.until((messages) => messages.length >= count);
  await breakOften(network, { send, received });
  const own = await chat.append("between others");
  count += 1;
  await send("the last");
  await received();
  assert.deepEqual(positions(), Array.from({ length: count }, (_, index) => index + 1));
  assert.equal(chat.messages()[own.position - 1].content, "between others");
  controller.abort();
  await following;

  step("following ends with the conversation");
  const other = await create();
  const second = await show(recipe, url, other.id);
  const ending = second.follow(new AbortController().signal);
  await append(other.id, "one");
  await second.until((messages) => messages.length === 2);
  await remove(other.id);
  await ending;
  for (const { close } of [chat, second]) await close();
}

/** The list of types on the page is that of the schema. */
async function compareTypes({ possibleTypes }) {
  if (!possibleTypes) return;
  const { __schema } = await post("{ __schema { types { name possibleTypes { name } } } }");
  const own = __schema.types.filter(({ name, possibleTypes }) => possibleTypes && !name.startsWith("_"));
  const actual = own.map(({ name, possibleTypes }) => [name, possibleTypes.map(({ name }) => name).sort()]);
  const expected = Object.entries(possibleTypes).map(([name, types]) => [name, [...types].sort()]);
  assert.deepEqual(expected.sort(), actual.sort());
}

await run(`recipes: ${RECIPE}`, async () => {
  const generator = RECIPE === "relay" && { path: "relay-compiler/cli.js", args: ["relay.config.json"] };
  await withProject(`recipes/${RECIPE}`, generator, async (recipe) => {
    await compareTypes(recipe);
    await test(recipe);
  }, { before: extract, after: transform });
});
