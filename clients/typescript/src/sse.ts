import { ScrollbackError, networkError, responseError } from "./errors.js";
import { badResponse, detailsOf, parseResponse } from "./http.js";
import type { GraphQLResponse, SubscriptionRequest, SubscriptionTransport, TransportContext } from "./transport.js";

/** The options of server-sent events. */
export interface ServerSentEventsOptions {
  /**
   * After how many milliseconds of silence a connection is given up. The server sends something every 15 seconds
   * (`server.ping_interval`). Default: 45,000.
   */
  silenceMs?: number;
}

/**
 * Subscriptions as server-sent events over `fetch`, one request for each. A browser opens at most six connections to a
 * server that speaks HTTP/1.1: use HTTP/2 or WebSockets there.
 */
export function serverSentEvents({ silenceMs = 45_000 }: ServerSentEventsOptions = {}): SubscriptionTransport {
  return { subscribe: (request, context) => subscribe(request, context, silenceMs) };
}

async function* subscribe(
  request: SubscriptionRequest,
  context: TransportContext,
  silenceMs: number,
): AsyncGenerator<GraphQLResponse, void, void> {
  const token = await context.token();
  const controller = new AbortController();
  const { signal } = context;
  const abort = () => controller.abort(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wait = () => {
    timer = setTimeout(() => controller.abort(networkError(`nothing received for ${silenceMs} ms`)), silenceMs);
  };
  const received = () => clearTimeout(timer);
  try {
    wait();
    const response = await context.fetch(context.url, {
      method: "POST",
      headers: {
        ...context.credentials(token),
        "Content-Type": "application/json",
        Accept: "text/event-stream",
      },
      body: JSON.stringify(request),
      signal: controller.signal,
    });
    if (!response.headers.get("content-type")?.startsWith("text/event-stream") || !response.body) {
      const body = parseResponse(await response.text());
      throw body?.errors?.length ? responseError(body.errors, detailsOf(response)) : badResponse(response);
    }
    received();
    context.opened();
    for await (const event of events(response.body, wait, received)) {
      if (event.type === "complete") return;
      const body = event.type === "next" ? parseResponse(event.data) : undefined;
      if (body) yield body;
    }
    throw networkError("the server closed the connection");
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    const reason: unknown = controller.signal.aborted ? controller.signal.reason : error;
    if (!(reason instanceof ScrollbackError)) throw networkError("the connection broke", reason);
    if (reason.code === "UNAUTHENTICATED") context.rejected(token);
    throw reason;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
    controller.abort();
  }
}

interface Event {
  type: string;
  data: string;
}

/** The events of a body: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream */
async function* events(
  body: ReadableStream<Uint8Array>,
  wait: () => void,
  received: () => void,
): AsyncGenerator<Event, void, void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let [rest, type, data] = ["", "", [] as string[]];
  try {
    for (;;) {
      // A consumer that takes its time is no silence of the server.
      wait();
      const { done, value } = await reader.read();
      received();
      if (done) return;
      const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const ended of lines) {
        const line = ended.endsWith("\r") ? ended.slice(0, -1) : ended;
        if (line === "") {
          // An event without data is dispatched too: `complete` may have none.
          if (type || data.length) yield { type: type || "message", data: data.join("\n") };
          [type, data] = ["", []];
          continue;
        }
        const [, field, text] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
        if (field === "event") type = text ?? "";
        else if (field === "data") data.push(text ?? "");
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
