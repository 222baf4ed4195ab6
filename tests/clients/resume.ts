import { type Client, createClient } from "graphql-ws";

export function connect(url: string, token: () => Promise<string>): Client {
  return createClient({
    url,
    connectionParams: async () => ({ Authorization: `Bearer ${await token()}` }),
    retryAttempts: Infinity, shouldRetry: () => true, // also when nobody answers
    retryWait: (retries) => pause(Math.random() * Math.min(500 * 2 ** retries, 30_000)),
  });
}

const query = `subscription ($conversationId: ID!, $after: String) {
  messageAdded(conversationId: $conversationId, after: $after) { cursor node { id role content } }
}`;

type Edge = { cursor: string; node: { id: string; role: string; content: string } };

/** Shows each message after a cursor once and in order, until the conversation is gone. */
export async function follow(client: Client, conversationId: string, after: string, show: (edge: Edge) => void) {
  // After every reconnect graphql-ws sends this object again, with the last cursor that was seen.
  const variables = { conversationId, after };
  for (;;) {
    const failure = await new Promise<unknown>((done) => {
      client.subscribe<{ messageAdded: Edge }>({ query, variables }, {
        next({ data }) {
          if (!data) return;
          show(data.messageAdded);
          variables.after = data.messageAdded.cursor;
        },
        error: done, complete: () => done(null),
      });
    });
    const error = Array.isArray(failure) ? failure[0].extensions : undefined;
    if (failure === null || error?.code === "NOT_FOUND") return;
    if (!error?.retryable) throw failure; // SLOW_CONSUMER and UNAVAILABLE are: resume
    await pause(500);
  }
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
