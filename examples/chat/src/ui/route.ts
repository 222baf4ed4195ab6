import { useCallback, useSyncExternalStore } from "react";

const listeners = new Set<() => void>();
const subscribe = (listener: () => void) => {
  listeners.add(listener);
  window.addEventListener("popstate", listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("popstate", listener);
  };
};

/** The address of a conversation. */
export const pathOf = (id: string | undefined): string => (id === undefined ? "/" : `/c/${id}`);

/** The conversation in the address, and a function that goes to another one. */
export function useRoute(): [id: string | undefined, go: (id: string | undefined) => void] {
  const path = useSyncExternalStore(subscribe, () => location.pathname);
  const go = useCallback((id: string | undefined) => {
    if (location.pathname !== pathOf(id)) history.pushState(null, "", pathOf(id));
    for (const listener of listeners) listener();
  }, []);
  return [/^\/c\/([^/]+)$/.exec(path)?.[1], go];
}

/** Follows a link inside of the page, unless another tab or window was asked for. */
export function onLinkClick(event: React.MouseEvent, go: () => void): void {
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  go();
}
