/**
 * Threads of assistant-ui in Scrollback: a list of conversations, and messages with their branches.
 *
 * @module
 */

export { type HistoryOptions, createHistoryAdapter } from "./history.js";
export type { ThreadItem } from "./storage.js";
export { type ThreadListOptions, createThreadListAdapter } from "./thread-list.js";
export { useThreadHistory } from "./use-history.js";
