// What the recipe does, as `recipes.mjs` tests all of them.

import { append } from "./append";
import { createEnvironment } from "./environment";
import { follow } from "./follow";
import { fetchPage, watchMessages } from "./history";

export async function open(url: string, token: string, id: string, last: number) {
  const environment = createEnvironment(url, async () => token);
  await fetchPage(environment, { id, last });
  let changed = () => {};
  const view = watchMessages(environment, { id, last }, () => changed());
  const read = () => view.read()!;
  const { connection, pageInfo } = read();
  const cursor = pageInfo.endCursor!;
  return {
    onChange: (listener: () => void) => void (changed = listener),
    messages: () => read().messages,
    hasOlder: () => read().pageInfo.hasPreviousPage,
    fetchOlder: () => fetchPage(environment, { id, last, before: read().pageInfo.startCursor ?? null }),
    append: async (content: string) => {
      const shown = { conversationId: id, connection, last: read().messages.at(-1)!.position };
      return (await append(environment, shown, content)).messageEdge.node;
    },
    follow: (signal: AbortSignal) => follow(environment, { id, connection, cursor }, signal),
    close: view.close,
  };
}
