/** Runs tasks one after the other, in the order in which they are given. A task that fails does not stop the next one. */
export type InOrder = <T>(task: () => Promise<T>) => Promise<T>;

/**
 * An order for the writes of a history. assistant-ui does not wait for a message to be written before it writes the
 * next one. If the next one came first, its parent would not be there, and another branch would be the active one.
 */
export function inOrder(): InOrder {
  let last: Promise<unknown> = Promise.resolve();
  return (task) => {
    const next = last.then(task, task);
    last = next.catch(() => {});
    return next;
  };
}
