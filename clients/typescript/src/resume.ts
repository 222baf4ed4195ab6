import type { TypedDocument } from "./document.js";
import { ScrollbackError, responseError } from "./errors.js";
import { Backoff } from "./retry.js";
import type { Session } from "./session.js";
import type { SubscriptionTransport } from "./transport.js";

/** A connection that lasted as long was a good one: the next delays are short again. */
const STABLE_MS = 5_000;

/** The options of everything that follows. */
export interface FollowOptions {
  /** Ends the iteration: it throws the reason of the signal. */
  signal?: AbortSignal | undefined;
  /** Is called with the error whenever the connection is lost, before the next attempt. */
  onInterruption?: ((error: ScrollbackError) => void) | undefined;
}

/** A subscription that can continue where it was. */
export interface ResumableSubscription<R, V, T> {
  document: TypedDocument<R, V>;
  /** The variables with which to continue. */
  variables(): V;
  /** Makes an event of the data, and moves the cursor on. */
  event(data: R): T;
  /** Whether an event is the last one. */
  isLast?(event: T): boolean;
  /** Handles an error: `resume` continues, `end` ends the iteration, `throw` throws the error. */
  recover?(error: ScrollbackError): Promise<"resume" | "end" | "throw">;
}

/** Runs a subscription and resumes it after every interruption, until it completes or the signal aborts. */
export async function* resume<R, V extends object, T>(
  session: Session,
  transport: SubscriptionTransport,
  subscription: ResumableSubscription<R, V, T>,
  { signal: outer, onInterruption }: FollowOptions,
): AsyncGenerator<T, void, void> {
  const backoff = new Backoff(session.retry);
  const signal = outer ?? new AbortController().signal;
  let rejections = 0;
  for (;;) {
    signal.throwIfAborted();
    let openedAt: number | undefined;
    try {
      const responses = transport.subscribe(
        { query: subscription.document.toString(), variables: subscription.variables() as Record<string, unknown> },
        {
          client: session,
          url: session.url,
          fetch: session.fetch,
          token: () => session.token(),
          credentials: (value) => session.credentials(value),
          opened: () => {
            openedAt ??= Date.now();
            rejections = 0;
          },
          rejected: (token) => session.reject(token),
          signal,
        },
      );
      for await (const { data, errors } of responses) {
        if (errors?.length) throw responseError(errors);
        signal.throwIfAborted();
        const event = subscription.event(data as R);
        backoff.reset();
        yield event;
        if (subscription.isLast?.(event)) return;
      }
      return;
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (!(error instanceof ScrollbackError)) throw error;
      if (openedAt !== undefined && Date.now() - openedAt > STABLE_MS) backoff.reset();
      if (error.code === "UNAUTHENTICATED") {
        rejections += 1;
        if (rejections > 1 || !session.isRenewable) throw error;
        continue;
      }
      const decision = error.retryable ? "resume" : await subscription.recover?.(error);
      if (decision === "end") return;
      if (decision !== "resume") throw error;
      onInterruption?.(error);
      await backoff.wait(error.retryAfterMs, signal);
    }
  }
}
