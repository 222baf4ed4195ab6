// What the recipe does, as `recipes.mjs` tests all of them.

import { append } from "./append.js";
import { connect } from "./client.js";
import { follow } from "./follow.js";
import { type Messages, fetchOlder, watchMessages } from "./history.js";

// urql aborts every request once it has the answer. The fetch of Node.js 20 then sometimes rejects a promise that
// nobody holds, which ends the process.
const original = globalThis.fetch;
globalThis.fetch = (input, init) => {
  const { signal: _, ...others } = init ?? {};
  return original(input, others);
};

export async function open(url: string, token: string, id: string, last: number) {
  const client = connect(url, async () => token);
  const page = { id, last };
  let shown: Messages | undefined;
  let changed = () => {};
  const close = watchMessages(client, page, (messages) => {
    shown = messages;
    changed();
  });
  while (!shown) await new Promise<void>((resolve) => (changed = resolve));
  const cursor = (shown as Messages).pageInfo.endCursor!;
  return {
    onChange: (listener: () => void) => void (changed = listener),
    messages: () => shown!.edges.map(({ node }) => node),
    hasOlder: () => shown!.pageInfo.hasPreviousPage,
    fetchOlder: () => fetchOlder(client, page, shown!),
    append: async (content: string) => (await append(client, id, content)).node,
    follow: (signal: AbortSignal) => follow(client, id, cursor, signal),
    close,
  };
}
