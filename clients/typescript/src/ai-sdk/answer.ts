import { type UIMessage, type UIMessageChunk, createUIMessageStream } from "ai";
import { newId } from "../ids.js";
import { type ChatContext, conversationIdOf } from "./context.js";
import { type Answer, Recorder } from "./recorder.js";
import { saveMessages } from "./save.js";

/** How long a model may take to end after a stop. */
const GRACE_MS = 2_000;

/** An answer to give. */
export interface ResumableStreamOptions<MESSAGE extends UIMessage> {
  /** The id of the chat. */
  chatId: string;
  /** The messages that are answered. What is new of them is stored first. */
  messages: MESSAGE[];
  /** Starts the model. Give the signal to it: it aborts when a client asks to stop. */
  execute: (options: {
    abortSignal: AbortSignal;
  }) => ReadableStream<UIMessageChunk> | Promise<ReadableStream<UIMessageChunk>>;
  /** The name of the model, to be stored. */
  model?: string;
  /**
   * Is called with a promise that resolves when the answer is stored. Give it `after` of Next.js, or `waitUntil` of your
   * platform, where a function otherwise ends with its response.
   */
  waitUntil?: (stored: Promise<void>) => void;
  /** The text of an error that readers see. Default: `An error occurred.` */
  onError?: (error: unknown) => string;
}

/**
 * The stream of an answer, which is stored while it is sent. It goes on when its reader disconnects.
 *
 * If the last message is one of the assistant, for example after a tool was approved, the answer goes on in it.
 */
export async function resumableStream<MESSAGE extends UIMessage>(
  context: ChatContext,
  { chatId, messages, execute, model, waitUntil, onError }: ResumableStreamOptions<MESSAGE>,
): Promise<ReadableStream<UIMessageChunk>> {
  const stop = new AbortController();
  // The model can think while its answer is announced.
  const chunks = (async () => execute({ abortSignal: stop.signal }))();
  chunks.catch(() => {});
  const conversationId = await conversationIdOf(context, chatId);
  const begin = async () => {
    const last = await saveMessages(context, conversationId, messages);
    const continued = messages.at(-1)?.role === "assistant" && last !== null;
    const id = continued ? last : newId();
    const answer: Answer = {
      conversationId,
      messageId: id,
      parentId: last,
      continued: continued ? await editedAt(context, id) : undefined,
      model,
      metadata: {},
    };
    const onStop = () => stop.abort(new DOMException("a client asked to stop", "AbortError"));
    return { uiId: continued ? messages.at(-1)!.id : id, recorder: await Recorder.open(context, answer, onStop) };
  };
  const { uiId, recorder } = await begin().catch((error: unknown) => {
    stop.abort(error);
    throw error;
  });

  const end: { message?: UIMessage; isAborted?: boolean; hasFailed?: boolean } = {};
  const stream = createUIMessageStream<UIMessage>({
    originalMessages: messages,
    generateId: () => uiId,
    execute: async ({ writer }) => writer.merge(endAfter(stop.signal, await chunks).pipeThrough(withId(uiId))),
    ...(onError ? { onError } : {}),
    onEnd({ responseMessage, isAborted, outcome }) {
      end.message = responseMessage;
      end.isAborted = isAborted;
      end.hasFailed ||= outcome.status === "failed";
    },
  });
  const recorded = stream.pipeThrough(
    new TransformStream<UIMessageChunk, UIMessageChunk>({
      transform(chunk, controller) {
        end.hasFailed ||= chunk.type === "error";
        recorder.write(chunk);
        controller.enqueue(chunk);
      },
      async flush() {
        const message = { role: "assistant" as const, parts: [], ...end.message, id: uiId };
        await recorder.end(message, end.isAborted ? "INTERRUPTED" : end.hasFailed ? "FAILED" : "COMPLETE");
      },
    }),
  );
  const [sent, kept] = recorded.tee();
  const done = kept.pipeTo(new WritableStream());
  if (waitUntil) waitUntil(done);
  else void done.catch(() => {});
  return detached(sent);
}

/** The stream for a reader that may go away: the cancelation of one branch would wait for that of the other. */
function detached(stream: ReadableStream<UIMessageChunk>): ReadableStream<UIMessageChunk> {
  const reader = stream.getReader();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel(reason) {
      void reader.cancel(reason).catch(() => {});
    },
  });
}

const EDITED = `query EditedAt($id: ID!) { node(id: $id) { ... on Message { editedAt } } }`;

async function editedAt({ client }: ChatContext, id: string): Promise<{ editedAt: string | null }> {
  const { node } = await client.query<{ node: { editedAt: string | null } | null }>(EDITED, { id });
  return { editedAt: node?.editedAt ?? null };
}

/** Names the message in the chunks, so that all readers know it by the id that it is stored with. */
function withId(messageId: string): TransformStream<UIMessageChunk, UIMessageChunk> {
  let hasStarted = false;
  return new TransformStream({
    transform(chunk, controller) {
      if (chunk.type !== "start" && !hasStarted) controller.enqueue({ type: "start", messageId });
      hasStarted = true;
      controller.enqueue(chunk.type === "start" ? { ...chunk, messageId } : chunk);
    },
  });
}

/** The stream, which ends some time after the signal even if the model does not. */
function endAfter(signal: AbortSignal, stream: ReadableStream<UIMessageChunk>): ReadableStream<UIMessageChunk> {
  const reader = stream.getReader();
  let isLate: (value: "late") => void = () => {};
  const late = new Promise<"late">((resolve) => (isLate = resolve));
  let timer: ReturnType<typeof setTimeout> | undefined;
  const begin = () => (timer = setTimeout(() => isLate("late"), GRACE_MS));
  signal.addEventListener("abort", begin, { once: true });
  return new ReadableStream<UIMessageChunk>({
    async pull(controller) {
      const result = await Promise.race([reader.read(), late]);
      if (result !== "late" && !result.done) return controller.enqueue(result.value);
      clearTimeout(timer);
      signal.removeEventListener("abort", begin);
      if (result === "late") {
        controller.enqueue({ type: "abort", reason: "stopped" });
        void reader.cancel().catch(() => {});
      }
      controller.close();
    },
    cancel: (reason) => reader.cancel(reason),
  });
}
