import { type RuntimeAdapters, useAui } from "@assistant-ui/react";
import { useEffect, useMemo, useRef } from "react";
import type { ScrollbackClient } from "../client.js";
import { type HistoryOptions, createHistoryAdapter } from "./history.js";
import type { ThreadItem } from "./storage.js";

/** A hook: the history of the thread that is shown, for `unstable_useAdapters`. */
export function useThreadHistory(
  client: ScrollbackClient,
  { filesFrom }: HistoryOptions = {},
): Pick<RuntimeAdapters, "history"> {
  const aui = useAui();
  const current = useRef(aui);
  useEffect(() => {
    current.current = aui;
  });
  return useMemo(() => {
    const options = filesFrom === undefined ? {} : { filesFrom };
    return { history: createHistoryAdapter(client, () => threadOf(current.current), options) };
  }, [client, filesFrom]);
}

/** The thread, in a way that goes on to mean it when another one is shown. */
function threadOf(aui: ReturnType<typeof useAui>): ThreadItem {
  const shown = aui.threadListItem;
  const { id } = shown.getState();
  const isListed = aui.threads.getState().threadItems.some((item) => item.id === id || item.remoteId === id);
  return isListed ? aui.threads.item({ id }) : shown;
}
