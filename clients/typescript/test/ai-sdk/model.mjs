// A model that says what the test tells it, when the test tells it.

import { MockLanguageModelV4 } from "ai/test";

const usage = {
  inputTokens: { total: 3, noCache: 3, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 4, text: 4, reasoning: 0 },
};

/** A model whose answers are written by the test. */
export class ScriptedModel {
  /** The prompts that were given, the last one last. */
  prompts = [];
  /** Whether the last answer was aborted. */
  isAborted = false;
  #waiting = [];
  #calls = [];
  #id = 0;

  /** The model for `streamText`. */
  model = new MockLanguageModelV4({
    modelId: "scripted",
    doStream: async ({ prompt, abortSignal }) => {
      this.prompts.push(prompt);
      this.isAborted = false;
      const stream = new ReadableStream({
        start: (controller) => {
          abortSignal?.addEventListener("abort", () => {
            this.isAborted = true;
            controller.error(abortSignal.reason);
          });
          const call = { controller };
          const waiting = this.#waiting.shift();
          if (waiting) waiting(call);
          else this.#calls.push(call);
        },
      });
      return { stream };
    },
  });

  /** The next answer that is asked for. */
  async answer() {
    const call = this.#calls.shift() ?? (await new Promise((resolve) => this.#waiting.push(resolve)));
    const { controller } = call;
    const say = (kind, text, more = {}) => {
      const id = `${kind}-${this.#id++}`;
      controller.enqueue({ type: `${kind}-start`, id, ...more });
      for (const delta of text.split(/(?<= )/)) controller.enqueue({ type: `${kind}-delta`, id, delta });
      return { more: (delta) => controller.enqueue({ type: `${kind}-delta`, id, delta }), end: () => controller.enqueue({ type: `${kind}-end`, id }) };
    };
    const end = (reason) => {
      controller.enqueue({ type: "finish", usage, finishReason: { unified: reason, raw: reason } });
      controller.close();
    };
    return {
      think: (text, more) => say("reasoning", text, more).end(),
      begin: (text) => say("text", text),
      part: (part) => controller.enqueue(part),
      call: (toolName, input) => {
        const toolCallId = `call-${this.#id++}`;
        controller.enqueue({ type: "tool-input-start", id: toolCallId, toolName });
        controller.enqueue({ type: "tool-input-delta", id: toolCallId, delta: JSON.stringify(input) });
        controller.enqueue({ type: "tool-input-end", id: toolCallId });
        controller.enqueue({ type: "tool-call", toolCallId, toolName, input: JSON.stringify(input) });
        end("tool-calls");
        return toolCallId;
      },
      end: () => end("stop"),
      fail: (error) => controller.error(error),
    };
  }
}
