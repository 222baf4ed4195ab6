// A server of the application is killed while it answers. Its readers come to an end, and nothing that it had is lost.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readUIMessageStream } from "ai";
import { createChatStore } from "scrollback-client/ai-sdk";
import { connect, newChat, post, run, step, stored } from "./common.mjs";

const client = connect();
const chats = createChatStore(client);

await run("ai-sdk crash", async () => {
  step("a server begins an answer");
  const chatId = newChat();
  const script = new URL("crash-writer.mjs", import.meta.url).pathname;
  const writer = spawn(process.execPath, [script], { env: { ...process.env, CHAT_ID: chatId }, stdio: "inherit" });
  let stream = null;
  while (!stream) stream = await chats.resumeStream(chatId);

  step("it is killed in the middle");
  const chunks = [];
  let message;
  const [one, two] = stream.tee();
  const collecting = (async () => {
    for await (const chunk of one) chunks.push(chunk);
  })();
  for await (message of readUIMessageStream({ stream: two })) {
    if (message.parts.at(-1)?.text === "Half an ") writer.kill("SIGKILL");
  }
  await collecting;
  assert.deepEqual(chunks.at(-1), { type: "finish", finishReason: "interrupted" });

  step("the message has all that was sent");
  while ((await stored(chatId)).at(-1).status === "STREAMING") await post("{ viewer { id } }");
  assert.equal(await chats.resumeStream(chatId), null);
  const [, before] = await stored(chatId);
  assert.deepEqual([before.status, before.content], ["INTERRUPTED", "Half an "]);
  const [question, answer] = await chats.loadMessages(chatId);
  assert.deepEqual(answer, JSON.parse(JSON.stringify(message)));
  assert.deepEqual(answer.parts.map(({ type }) => type), ["step-start", "reasoning", "tool-look", "text"]);
  const [, after] = await stored(chatId);
  assert.deepEqual(after.parts.map(({ __typename }) => __typename), ["CustomPart", "ReasoningPart", "ToolPart", "TextPart"]);
  assert.deepEqual(await chats.loadMessages(chatId), [question, answer]);
});
