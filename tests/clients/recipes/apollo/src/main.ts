// What the recipe does, as `recipes.mjs` tests all of them.

import { append } from "./append.js";
import { connect } from "./client.js";
import { follow } from "./follow.js";
import { type History, fetchOlder, watchMessages } from "./history.js";

export { possibleTypes } from "./possible-types.js";

export async function open(url: string, token: string, id: string, last: number) {
  const client = connect(url, async () => token);
  const view = watchMessages(client, id, last);
  let changed = () => {};
  const subscription = view.subscribe(() => changed());
  const list = () => (view.getCurrentResult().data as History | undefined)?.conversation?.messages;
  while (!list()?.edges) await new Promise<void>((resolve) => (changed = resolve));
  const cursor = list()!.pageInfo.endCursor!;
  return {
    onChange: (listener: () => void) => void (changed = listener),
    messages: () => list()!.edges.map(({ node }) => node),
    hasOlder: () => list()!.pageInfo.hasPreviousPage,
    fetchOlder: () => fetchOlder(view),
    append: async (content: string) => (await append(client, id, content)).node,
    follow: (signal: AbortSignal) => follow(client, id, cursor, signal),
    close: () => subscription.unsubscribe(),
  };
}
