import { createHash } from "node:crypto";
import { type Message, createClient } from "scrollback-client";
import { type Reply, replyTo } from "./model.js";
import type { Scrollback } from "./scrollback.js";
import { signToken } from "./tokens.js";

/** Which answer to write. */
export interface AnswerRequest {
  conversationId: string;
  /** The question. */
  questionId: string;
  /** The id of another answer to the same question. Without it, the question is answered once. */
  answerId?: string | undefined;
}

/** Writes answers. They go on when the page is closed. */
export class Answers {
  readonly #scrollback: Scrollback;
  readonly #wordDelayMs: number;
  readonly #running = new Set<string>();

  constructor(scrollback: Scrollback, options: { wordDelayMs: number }) {
    this.#scrollback = scrollback;
    this.#wordDelayMs = options.wordDelayMs;
  }

  /** Begins an answer, unless there is one with this id. Returns its id, or nothing if there is no such question. */
  async begin(user: string, request: AnswerRequest): Promise<string | undefined> {
    const id = request.answerId ?? answerIdOf(request.questionId);
    if (this.#running.has(id)) return id;
    this.#running.add(id);
    let isWriting = false;
    try {
      const client = this.#client(user);
      const question = await client.message(request.questionId);
      if (question?.conversation.id !== request.conversationId || question.role !== "USER") return undefined;
      if (await client.message(id)) return id;
      const reply = replyTo(question, { wordDelayMs: this.#wordDelayMs, isFirst: request.answerId === undefined });
      isWriting = true;
      void this.#write(user, request, id, reply).finally(() => this.#running.delete(id));
      return id;
    } finally {
      if (!isWriting) this.#running.delete(id);
    }
  }

  async #write(user: string, { conversationId, questionId }: AnswerRequest, id: string, reply: Reply): Promise<void> {
    const writer = this.#client(user).stream({ id, conversationId, parentId: questionId, model: "script-1" });
    let text = "";
    try {
      for await (const word of reply.words) {
        if (writer.signal.aborted) break;
        writer.write(word);
        text += word;
      }
      // The parts begin with what was streamed, also if it was stopped.
      const parts = [...reply.parts, { text: { text } }];
      await writer.finish({ parts, usage: reply.usage });
    } catch (error) {
      console.error(`answer ${id} failed: ${String(error)}`);
      await writer.fail().catch(() => {});
    }
  }

  #client(user: string) {
    const { url, secret } = this.#scrollback;
    return createClient({
      url,
      token: () => signToken(secret, { sub: "chat-back-end", scope: "scrollback:act-as" }),
      actAs: user,
    });
  }
}

/** The first answer to a question has an id that follows from it: two tabs that ask for it get one. */
function answerIdOf(questionId: Message["id"]): string {
  const bytes = createHash("sha256").update(`answer to ${questionId}`).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
