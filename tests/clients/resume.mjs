// The way of docs/subscriptions.md to follow a conversation: `resume.ts`, type-checked, over a network that breaks.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import WebSocket from "ws";
import { Inbox, assertConsecutive, run, step, token } from "./common.mjs";
import { Network, append, breakOften, create, remove, sending } from "./network.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));

/** Type-checks a TypeScript module strictly, and loads what comes of it. */
async function load(name) {
  const folder = mkdtempSync(join(here, "node_modules/.resume-"));
  try {
    const compiler = join(here, "node_modules/typescript/bin/tsc");
    const options = ["--strict", "--target", "es2022", "--lib", "es2022,dom", "--module", "nodenext", "--types", ""];
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    execFileSync(process.execPath, [compiler, ...options, "--outDir", folder, join(here, name)], { stdio: "inherit" });
    return await import(join(folder, name.replace(/ts$/, "js")));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

await run("resume", async () => {
  step("type-check the module and load it");
  globalThis.WebSocket = WebSocket;
  const { connect, follow } = await load("resume.ts");

  const network = new Network();
  const client = connect(await network.listen("ws"), async () => token);
  const refused = [];
  client.on("message", ({ type, payload }) => type === "error" && refused.push(payload[0].extensions.code));

  step("follow");
  const { id, cursor } = await create();
  const inbox = new Inbox();
  const following = follow(client, id, cursor, ({ node }) => inbox.push(node.id));
  const messages = sending(id, inbox);
  const { sent, send, received } = messages;
  await breakOften(network, messages);
  assert.deepEqual(refused, []);

  step("do not keep up");
  network.hold();
  for (let number = 0; number < 80; number++) await send("x".repeat(150 * 1024));
  network.release();
  await received();
  assert.deepEqual(refused, ["SLOW_CONSUMER"]);

  step("everything arrived once, in order");
  assert.deepEqual(inbox.items, sent.map(({ id }) => id));
  assertConsecutive(sent);

  step("it ends when the conversation is deleted");
  await remove(id);
  await following;

  step("it ends when the conversation was deleted while nobody answered");
  const other = await create();
  const arrived = new Inbox();
  const second = follow(client, other.id, other.cursor, ({ node }) => arrived.push(node.id));
  await append(other.id, "one");
  await arrived.until((items) => items.length === 1);
  network.refusing = true;
  network.cut();
  await remove(other.id);
  network.refusing = false;
  await second;
  await follow(client, other.id, other.cursor, () => assert.fail("nothing is there"));

  step("what trying again cannot help is thrown");
  const third = await create();
  await assert.rejects(follow(client, third.id, "nonsense", () => {}), ([error]) => {
    return error.extensions.code === "BAD_USER_INPUT";
  });
  await client.dispose();
});
