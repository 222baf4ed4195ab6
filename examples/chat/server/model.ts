// A model that knows a few answers. Put yours here: it gets the question, and yields the words of the answer.

import type { FinishOptions, Message, MessagePartInput } from "scrollback-client";
import { ANSWERS } from "./script.js";

/** What the model says. */
export interface Reply {
  /** The text, word by word. */
  words: AsyncIterable<string>;
  /** What goes before the text: reasoning, and the calls of tools. */
  parts: MessagePartInput[];
  usage: NonNullable<FinishOptions["usage"]>;
}

/** Answers a question. The first answer and the others differ. */
export function replyTo(question: Message, options: { wordDelayMs: number; isFirst: boolean }): Reply {
  const files = question.parts.flatMap((part) => (part.__typename === "FilePart" ? [part.filename ?? "a file"] : []));
  const script = ANSWERS.find(({ asks }) => asks.test(question.content)) ?? ANSWERS.at(-1)!;
  const text = (options.isFirst ? script.text : (script.other ?? script.text)) + fileNote(files);
  const inputTokens = Math.ceil(question.content.length / 4);
  const outputTokens = Math.ceil(text.length / 4);
  return {
    words: say(text, options.wordDelayMs, (script.fails ?? false) && options.isFirst),
    parts: script.parts ?? [],
    usage: { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens },
  };
}

async function* say(text: string, delayMs: number, fails: boolean): AsyncGenerator<string, void, void> {
  for (const word of text.split(/(?<=\s)(?=\S)/)) {
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    yield word;
  }
  if (fails) throw new Error("the model was asked to fail");
}

function fileNote(files: string[]): string {
  if (!files.length) return "";
  const names = files.map((name) => `\`${name.replaceAll("`", "'")}\``).join(" and ");
  return `\n\nThank you for ${names}: stored beside this conversation, and part of every export.`;
}
