import type { TypedDocument } from "./document.js";
import { ScrollbackError, networkError, responseError } from "./errors.js";
import { Backoff } from "./retry.js";
import type { Session } from "./session.js";
import type { GraphQLResponse } from "./transport.js";

/** The options of a single request. */
export interface RequestOptions {
  /** Aborts the request and its retries. */
  signal?: AbortSignal | undefined;
  /**
   * Whether the request can be sent again when it is not known what became of it. Default: true, except for mutations
   * in documents of your own, which may append without an id.
   */
  idempotent?: boolean | undefined;
  /** The most attempts. Default: that of the client. */
  attempts?: number | undefined;
}

/** Executes a query or a mutation, with retries, and returns its data. */
export async function request<R, V>(
  session: Session,
  document: TypedDocument<R, V>,
  variables: V,
  { signal, idempotent = true, attempts = session.retry.attempts ?? 8 }: RequestOptions = {},
): Promise<R> {
  const body = JSON.stringify({ query: document.toString(), variables });
  const backoff = new Backoff(session.retry);
  let renewed = false;
  for (;;) {
    signal?.throwIfAborted();
    let token: string | undefined;
    try {
      token = await session.token();
      return (await attempt(session, body, token, signal)) as R;
    } catch (error) {
      if (signal?.aborted || !(error instanceof ScrollbackError)) throw error;
      if (error.code === "UNAUTHENTICATED" && token !== undefined) {
        session.reject(token);
        if (renewed || !session.isRenewable) throw error;
        renewed = true;
        continue;
      }
      // A request over the rate limit, or without a token, was not executed.
      const canRepeat = idempotent || error.code === "RATE_LIMITED" || error.code === "TOKEN_UNAVAILABLE";
      if (!error.retryable || !canRepeat || backoff.failures + 1 >= attempts) throw error;
      await backoff.wait(error.retryAfterMs, signal);
    }
  }
}

async function attempt(
  session: Session,
  body: string,
  token: string,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const controller = new AbortController();
  const abort = () => controller.abort(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  const timeout = networkError(`no response within ${session.timeoutMs} ms`);
  const timer = setTimeout(() => controller.abort(timeout), session.timeoutMs);
  try {
    const response = await session.fetch(session.url, {
      method: "POST",
      headers: {
        ...session.credentials(token),
        "Content-Type": "application/json",
        Accept: "application/graphql-response+json, application/json",
      },
      body,
      signal: controller.signal,
    });
    return await readData(response);
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    if (error instanceof ScrollbackError) throw error;
    throw controller.signal.aborted ? timeout : networkError(`${session.url} cannot be reached`, error);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}

async function readData(response: Response): Promise<unknown> {
  // A connection that breaks here is a network error.
  const text = await response.text();
  const body = parseResponse(text);
  if (body?.errors?.length) throw responseError(body.errors, detailsOf(response));
  if (!response.ok || body?.data === undefined || body.data === null) throw badResponse(response);
  return body.data;
}

/** A GraphQL response, or undefined if the text is none. */
export function parseResponse(text: string): GraphQLResponse | undefined {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === "object" && body !== null ? body : undefined;
  } catch {
    return undefined;
  }
}

/** The error of a response that is not a GraphQL response. */
export function badResponse(response: Response): ScrollbackError {
  const { status } = response;
  const retryable = status >= 500 || status === 408 || status === 429;
  const message = `the server answered with status ${status} and without a GraphQL response`;
  return new ScrollbackError("BAD_RESPONSE", message, { ...detailsOf(response), retryable });
}

/** What the head of a response says about its errors. */
export function detailsOf(response: Response) {
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  return {
    status: response.status,
    requestId: response.headers.get("x-request-id") ?? undefined,
    retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : undefined,
  };
}

/** Whether a document has a mutation, which must not be sent twice unless its author says that it may. */
export function hasMutation(document: string): boolean {
  const code = document.replace(/"""[^]*?"""|"(\\.|[^"\\\n])*"|#.*/g, "");
  return /(^|\})[\s,]*mutation\b/.test(code);
}
