/**
 * Subscriptions over one WebSocket, with the package `graphql-ws`.
 *
 * @module
 */

import { type Client, createClient } from "graphql-ws";
import { Channel } from "./channel.js";
import { type GraphQLErrorBody, ScrollbackError, networkError, responseError } from "./errors.js";
import type { GraphQLResponse, SubscriptionRequest, SubscriptionTransport, TransportContext } from "./transport.js";

/** The options of a WebSocket. */
export interface WebSocketOptions {
  /** The implementation of `WebSocket`. Default: that of the platform; Node.js has one since version 22. */
  webSocketImpl?: unknown;
  /** After how many milliseconds of silence the client pings the server. Default: 15,000. */
  keepAliveMs?: number;
  /** How long the client waits for a connection, or the answer to a ping. Default: 10,000. */
  pongTimeoutMs?: number;
}

/** Codes after which the same client must not try again. */
const FATAL = [1002, 1003, 1007, 1009, 4400, 4401, 4406, 4409, 4429];

/** A socket, and the context of the subscription that began last. */
interface Connection {
  socket: Client;
  context: TransportContext;
}

/** Runs all subscriptions of a client over one WebSocket. */
export function webSocket(options: WebSocketOptions = {}): SubscriptionTransport {
  const connections = new Map<object, Connection>();
  return {
    subscribe(request, context) {
      const connection = connections.get(context.client) ?? connect(context, options);
      connection.context = context;
      connections.set(context.client, connection);
      return subscribe(connection.socket, request, context);
    },
    close(client) {
      void connections.get(client)?.socket.dispose();
      connections.delete(client);
    },
  };
}

function connect(context: TransportContext, options: WebSocketOptions): Connection {
  const { webSocketImpl, keepAliveMs = 15_000, pongTimeoutMs = 10_000 } = options;
  let token = "";
  let timer: ReturnType<typeof setTimeout> | undefined;
  const answered = () => clearTimeout(timer);
  const expectAnswer = () => {
    clearTimeout(timer);
    timer = setTimeout(() => connection.socket.terminate(), pongTimeoutMs);
  };
  const socket = createClient({
    url: context.url.replace(/^http/, "ws"),
    connectionParams: async () => connection.context.credentials((token = await connection.context.token())),
    webSocketImpl,
    // The subscriptions try again, each from its own cursor.
    retryAttempts: 0,
    lazyCloseTimeout: 1_000,
    keepAlive: keepAliveMs,
    on: {
      connecting: expectAnswer,
      connected: answered,
      ping: (received) => received || expectAnswer(),
      pong: (received) => received && answered(),
      closed: (event) => {
        answered();
        if (isRejection(event)) connection.context.rejected(token);
      },
    },
  });
  const connection: Connection = { socket, context };
  return connection;
}

async function* subscribe(
  socket: Client,
  request: SubscriptionRequest,
  { signal, opened }: TransportContext,
): AsyncGenerator<GraphQLResponse, void, void> {
  const channel = new Channel<GraphQLResponse>();
  const listeners = [
    // Otherwise graphql-ws repeats the operation after a normal closure, from its first cursor.
    socket.on("closed", (event) => channel.fail(closeError(event))),
    socket.on("connected", opened),
  ];
  const abort = () => channel.fail(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  const dispose = socket.subscribe(
    { query: request.query, variables: request.variables },
    {
      next: (response) => {
        opened();
        channel.push(response as GraphQLResponse);
      },
      error: (error) => channel.fail(asError(error)),
      complete: () => channel.end(),
    },
  );
  try {
    yield* channel;
  } finally {
    signal.removeEventListener("abort", abort);
    for (const remove of listeners) remove();
    dispose();
  }
}

/** graphql-ws reports errors of operations, closures of the socket, and everything else. */
function asError(error: unknown): unknown {
  if (Array.isArray(error)) return responseError(error as GraphQLErrorBody[]);
  if (error instanceof ScrollbackError) return error;
  return closeError(error);
}

function closeError(event: unknown): ScrollbackError {
  const { code, reason } = (event ?? {}) as { code?: number; reason?: string };
  if (typeof code !== "number") return networkError("the WebSocket failed", event);
  const message = `the WebSocket was closed with ${code}${reason ? `: ${reason}` : ""}`;
  if (isRejection(event)) return new ScrollbackError("UNAUTHENTICATED", message);
  return FATAL.includes(code) ? new ScrollbackError("BAD_REQUEST", message) : networkError(message, event);
}

function isRejection(event: unknown): boolean {
  return (event as { code?: number } | undefined)?.code === 4403;
}
