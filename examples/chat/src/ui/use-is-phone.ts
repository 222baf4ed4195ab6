import { useSyncExternalStore } from "react";

const query = window.matchMedia("(max-width: 47.99rem)");
const subscribe = (listener: () => void) => {
  query.addEventListener("change", listener);
  return () => query.removeEventListener("change", listener);
};

/** Whether the page is as narrow as on a phone: the same width as in layout.css. */
export const useIsPhone = (): boolean => useSyncExternalStore(subscribe, () => query.matches);
