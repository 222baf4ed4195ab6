import { useEffect } from "react";
import type { Chat } from "../data/chat.js";
import type { ThreadState } from "../data/thread.js";

/** Marks the messages of the open conversation as read while the page is visible. */
export function useMarkRead(chat: Chat, { conversation, messages }: ThreadState): void {
  const position = messages.at(-1)?.position ?? 0;
  const conversationId = conversation?.id;
  const isUnread = conversation !== undefined && conversation.readPosition < position;
  useEffect(() => {
    if (!isUnread || conversationId === undefined) return;
    const markRead = () => {
      if (document.visibilityState !== "visible") return;
      // If this fails, they are marked with the next message.
      chat.reading.markRead(conversationId, position).catch(() => {});
    };
    markRead();
    document.addEventListener("visibilitychange", markRead);
    return () => document.removeEventListener("visibilitychange", markRead);
  }, [chat, conversationId, position, isUnread]);
}
