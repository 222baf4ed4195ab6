// The server as this page needs it: sending until it is known to be done, and following without a gap.

import { createClient } from "graphql-ws";

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Api {
  /** @param url of the endpoint; @param token promises a token: ask your back end for a fresh one. */
  constructor(url, token) {
    this.url = url;
    this.token = token;
    this.socket = createClient({
      url: url.replace(/^http/, "ws"),
      connectionParams: async () => ({ Authorization: `Bearer ${await token()}` }),
      retryAttempts: Infinity,
      shouldRetry: () => true, // also when nobody answers
      retryWait: (retries) => pause(Math.random() * Math.min(500 * 2 ** retries, 30_000)),
    });
  }

  /**
   * Runs a query or a mutation, again and again while the server is away. Every mutation may be
   * repeated: one that makes something carries an id of the caller's.
   */
  async send(query, variables = {}) {
    for (let wait = 200; ; wait = Math.min(wait * 2, 10_000)) {
      const answer = await this.#post(query, variables);
      if (answer && !answer.errors) return answer.data;
      const error = answer?.errors[0];
      if (error && !error.extensions?.retryable) throw new Error(error.message);
      await pause(wait * Math.random());
    }
  }

  async #post(query, variables) {
    try {
      const response = await fetch(this.url, {
        method: "POST",
        headers: { "Content-Type": "application/json", Authorization: `Bearer ${await this.token()}` },
        body: JSON.stringify({ query, variables }),
      });
      return await response.json();
    } catch {
      return undefined; // nobody answered, or not to the end
    }
  }

  /**
   * Follows a subscription to its end, over lost connections. `take` is given each event and must, before
   * it returns, write into `variables` where to go on: they are sent again after every reconnect.
   */
  async follow(query, variables, take) {
    for (;;) {
      const failure = await new Promise((done) => {
        this.socket.subscribe({ query, variables }, {
          next: ({ data }) => data && take(data),
          error: done,
          complete: () => done(null),
        });
      });
      if (failure === null) return;
      if (!Array.isArray(failure) || !failure[0].extensions?.retryable) throw failure;
      await pause(500); // SLOW_CONSUMER and UNAVAILABLE: resume
    }
  }
}
