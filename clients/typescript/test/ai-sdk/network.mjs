// Answers over a network that breaks: neither the writer nor a reader loses or repeats a chunk.

import assert from "node:assert/strict";
import { createUIMessageStream, readUIMessageStream } from "ai";
import { createChatStore } from "scrollback-client/ai-sdk";
import { Network, connect, newChat, run, step, stored } from "./common.mjs";

const networks = [new Network(), new Network()];
const [chats, replica] = await Promise.all(
  networks.map(async (network) => createChatStore(connect({ url: await network.listen("http") }))),
);
const question = { id: "q", role: "user", parts: [{ type: "text", text: "?" }] };

async function read(stream, onState) {
  let message;
  for await (message of readUIMessageStream({ stream })) onState?.(message);
  return message;
}

await run("ai-sdk network", async () => {
  step("begin an answer");
  const chatId = newChat();
  let writer;
  let end;
  const ended = new Promise((resolve) => (end = resolve));
  const execute = () =>
    createUIMessageStream({
      execute: async (options) => {
        writer = options.writer;
        await ended;
      },
    });
  const direct = read(await chats.resumableStream({ chatId, messages: [question], execute }));
  while (!writer) await connect().query("{ viewer { id } }");
  let seen = "";
  let wake = () => {};
  const reader = read(await replica.resumeStream(chatId), ({ parts }) => {
    seen = parts.at(-1)?.text ?? parts.at(-1)?.data ?? seen;
    wake();
  });
  const until = async (text) => {
    while (seen !== text) await new Promise((resolve) => (wake = resolve));
  };

  step("cut the connections of both after every few chunks");
  writer.write({ type: "text-start", id: "t" });
  let text = "";
  for (let count = 0; count < 30; count++) {
    const delta = `${count} 三😀 `;
    text += delta;
    writer.write({ type: "text-delta", id: "t", delta });
    networks[count % 2].cut();
    if (count % 5 === 4) await until(text);
  }
  writer.write({ type: "text-end", id: "t" });
  for (const network of networks) network.cut();
  writer.write({ type: "data-last", data: "the end" });
  await until("the end");
  end();

  step("both have every chunk once");
  const [first, second] = await Promise.all([direct, reader]);
  assert.equal(first.parts[0].text, text);
  assert.deepEqual(second, first);
  assert.deepEqual((await chats.loadMessages(chatId)).at(-1), JSON.parse(JSON.stringify(first)));
  assert.equal((await stored(chatId)).at(-1).content, text);
});
