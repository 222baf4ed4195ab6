import { ScrollbackError } from "./errors.js";
import type { RetryOptions } from "./retry.js";
import type { SubscriptionTransport } from "./transport.js";

/**
 * A token, or a function that returns one. The function is called for each request and each connection, so it should
 * keep its token until shortly before the expiry. `rejected` is the token that the server did not accept, if it did
 * not: the function must then return another one.
 */
export type TokenProvider = string | ((context: { rejected: string | undefined }) => string | Promise<string>);

/** The options of a client. */
export interface ClientOptions {
  /** The URL of the server with or without `/graphql`, for example `https://chat.example/graphql`. */
  url: string | URL;
  /** The token of the user, or a function that returns one. */
  token: TokenProvider;
  /** The user that a back end acts for. Its token needs the scope `scrollback:act-as`. */
  actAs?: string;
  /** The implementation of `fetch`. Default: that of the platform. */
  fetch?: typeof fetch;
  /**
   * How subscriptions reach the server. Default: server-sent events, over `fetch`. `webSocket()` of
   * `scrollback-client/graphql-ws` uses one WebSocket for all of them.
   */
  subscriptions?: SubscriptionTransport;
  /** How requests and subscriptions are retried. */
  retry?: RetryOptions;
  /** After how many milliseconds without a response a request is tried again. Default: 30,000. */
  timeoutMs?: number;
}

/** What the parts of a client share: where the server is, and the credentials. */
export class Session {
  readonly url: string;
  readonly fetch: typeof fetch;
  readonly retry: RetryOptions;
  readonly timeoutMs: number;
  readonly #token: TokenProvider;
  readonly #actAs: string | undefined;
  #rejected: string | undefined;

  constructor(options: ClientOptions) {
    const url = String(options.url).replace(/\/+$/, "");
    this.url = url.endsWith("/graphql") ? url : `${url}/graphql`;
    // `fetch` of browsers must be called as a function of the window.
    this.fetch = options.fetch ?? ((input, init) => fetch(input, init));
    this.retry = options.retry ?? {};
    this.timeoutMs = options.timeoutMs ?? 30_000;
    this.#token = options.token;
    this.#actAs = options.actAs;
  }

  /** The token to send now. */
  async token(): Promise<string> {
    if (typeof this.#token === "string") return this.#token;
    try {
      return await this.#token({ rejected: this.#rejected });
    } catch (cause) {
      throw new ScrollbackError("TOKEN_UNAVAILABLE", `no token: ${String(cause)}`, { retryable: true, cause });
    }
  }

  /** The headers with credentials. On a WebSocket they are the parameters of the connection. */
  credentials(token: string): Record<string, string> {
    const actAs = this.#actAs === undefined ? {} : { "Scrollback-Act-As": this.#actAs };
    return { Authorization: `Bearer ${token}`, ...actAs };
  }

  /** Whether there can be another token. */
  get isRenewable(): boolean {
    return typeof this.#token !== "string";
  }

  /** Remembers that the server did not accept a token. */
  reject(token: string): void {
    this.#rejected = token;
  }
}
