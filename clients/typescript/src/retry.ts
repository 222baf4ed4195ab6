/** How failed requests are retried. Delays grow exponentially, with jitter. */
export interface RetryOptions {
  /** The most attempts for one request. Default: 8. */
  attempts?: number;
  /** The delay before the second attempt, in milliseconds. Default: 200. */
  minDelayMs?: number;
  /** The longest delay, in milliseconds. Default: 10,000. */
  maxDelayMs?: number;
}

/** The delays between attempts. */
export class Backoff {
  readonly #min: number;
  readonly #max: number;
  #failures = 0;

  constructor({ minDelayMs = 200, maxDelayMs = 10_000 }: RetryOptions = {}) {
    this.#min = minDelayMs;
    this.#max = maxDelayMs;
  }

  /** How many failures there were since the last success. */
  get failures(): number {
    return this.#failures;
  }

  /** Waits before the next attempt, for as long as the server asked at least. Rejects when aborted. */
  async wait(retryAfterMs: number | undefined, signal: AbortSignal | undefined): Promise<void> {
    const longest = Math.min(this.#max, this.#min * 2 ** this.#failures);
    this.#failures += 1;
    // Between half and all of it, so that clients that failed together do not come back together.
    await sleep((retryAfterMs ?? 0) + longest * (0.5 + Math.random() / 2), signal);
  }

  /** Starts again with short delays. */
  reset(): void {
    this.#failures = 0;
  }
}

/** Resolves after a time. Rejects with the signal's reason when aborted. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", abort, { once: true });
  });
}
