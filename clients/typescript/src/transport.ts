import type { GraphQLErrorBody } from "./errors.js";

/** The operation of a subscription. */
export interface SubscriptionRequest {
  query: string;
  variables: Record<string, unknown>;
}

/** A response to an operation, or one event of a subscription. */
export interface GraphQLResponse {
  data?: unknown;
  errors?: ReadonlyArray<GraphQLErrorBody>;
}

/** What a transport uses of its client. */
export interface TransportContext {
  /** Identifies the client. Clients with different credentials must not share a connection. */
  client: object;
  /** The endpoint, with `http:` or `https:`. */
  url: string;
  fetch: typeof fetch;
  /** The token to send now. */
  token(): Promise<string>;
  /** The headers, or parameters of a connection, with the credentials. */
  credentials(token: string): Record<string, string>;
  /** To be called once the server has accepted the credentials. */
  opened(): void;
  /** To be called when the server has not accepted a token. */
  rejected(token: string): void;
  /** Ends the subscription. */
  signal: AbortSignal;
}

/**
 * A way to run subscriptions. `subscribe` returns the events of one attempt: it ends when the server has completed the
 * subscription, and throws a `ScrollbackError` when the connection breaks. The client resumes.
 */
export interface SubscriptionTransport {
  subscribe(request: SubscriptionRequest, context: TransportContext): AsyncIterable<GraphQLResponse>;
  /** Closes the connection that the subscriptions of a client share. */
  close?(client: object): void;
}
