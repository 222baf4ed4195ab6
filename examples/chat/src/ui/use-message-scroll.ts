import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";
import type { Chat } from "../data/chat.js";
import { useStore } from "../data/store.js";
import type { Thread } from "../data/thread.js";

/** So near the end counts as at the end, in pixels. */
const NEAR = 80;

/**
 * Keeps the newest message in view while it grows, unless the user has scrolled away. Loads older messages before the
 * first comes into view, and then keeps what is shown where it is.
 */
export function useMessageScroll(thread: Thread, chat: Chat, revealed: string | undefined) {
  const { messages, hasOlder } = useStore(thread.state);
  const scroller = useRef<HTMLDivElement>(null);
  const sentinel = useRef<HTMLDivElement>(null);
  const isFollowing = useRef(true);
  const before = useRef({ first: "", height: 0 });
  const [isAtEnd, setIsAtEnd] = useState(true);
  const first = messages[0]?.id ?? "";

  const scrollToEnd = useCallback((isSmooth: boolean) => {
    isFollowing.current = true;
    const element = scroller.current;
    element?.scrollTo({ top: element.scrollHeight, behavior: isSmooth ? "smooth" : "instant" });
  }, []);

  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const { first: previous, height } = before.current;
    if (isFollowing.current) element.scrollTop = element.scrollHeight;
    // Older messages were added above: what is in view stays there.
    else if (previous && previous !== first && thread.has(previous)) element.scrollTop += element.scrollHeight - height;
    before.current = { first, height: element.scrollHeight };
  });

  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const onScroll = () => {
      const distance = element.scrollHeight - element.scrollTop - element.clientHeight;
      isFollowing.current = distance < NEAR;
      setIsAtEnd(distance < NEAR);
    };
    // Pictures and the height of the window change without a render.
    const observer = new ResizeObserver(() => {
      if (isFollowing.current) element.scrollTop = element.scrollHeight;
    });
    observer.observe(element);
    for (const child of element.children) observer.observe(child);
    element.addEventListener("scroll", onScroll, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", onScroll);
    };
  }, []);

  useEffect(() => {
    if (!hasOlder) return;
    const load = () => void chat.attempt(() => thread.loadOlder());
    const options = { root: scroller.current, rootMargin: "600px 0px 0px" };
    const observer = new IntersectionObserver(([entry]) => entry?.isIntersecting && load(), options);
    observer.observe(sentinel.current!);
    return () => observer.disconnect();
  }, [chat, thread, hasOlder, first]);

  useEffect(() => {
    if (revealed === undefined) return;
    isFollowing.current = false;
    document.getElementById(`message-${revealed}`)?.scrollIntoView({ block: "center" });
  }, [revealed]);

  return { scroller, sentinel, isAtEnd, scrollToEnd };
}
