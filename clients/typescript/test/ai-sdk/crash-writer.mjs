// Writes half of an answer. The test kills it.

import { createUIMessageStream } from "ai";
import { createChatStore } from "scrollback-client/ai-sdk";
import { connect } from "./common.mjs";

const chats = createChatStore(connect());
const messages = [{ id: "q", role: "user", parts: [{ type: "text", text: "?" }] }];
const execute = () =>
  createUIMessageStream({
    execute: async ({ writer }) => {
      for (const chunk of [
        { type: "start-step" },
        { type: "reasoning-start", id: "r" },
        { type: "reasoning-delta", id: "r", delta: "Hm." },
        { type: "reasoning-end", id: "r" },
        { type: "tool-input-available", toolCallId: "t", toolName: "look", input: { a: 1 } },
        { type: "tool-output-available", toolCallId: "t", output: "seen" },
        { type: "text-start", id: "x" },
        { type: "text-delta", id: "x", delta: "Half an " },
      ]) writer.write(chunk);
      await new Promise(() => {});
    },
  });
const stream = await chats.resumableStream({ chatId: process.env.CHAT_ID, messages, execute });
for await (const _ of stream);
