import { useEffect } from "react";
import type { Chat } from "../data/chat.js";
import { useStore } from "../data/store.js";
import { Icon, IconButton } from "./icons.js";

const SHOWN_MS = 8_000;

/** What went wrong, for a while, and whether the connection is lost. */
export function Notice({ chat }: { chat: Chat }) {
  const notice = useStore(chat.notice);
  const isOnline = useStore(chat.online);
  useEffect(() => {
    if (!notice) return;
    const timer = setTimeout(() => chat.notice.set(undefined), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [chat, notice]);
  return (
    <div className="notices">
      <div role="status">
        {!isOnline && (
          <p className="notice">
            <Icon name="offline" />
            No connection. Messages are sent later.
          </p>
        )}
      </div>
      <div role="alert">
        {notice && (
          <p className="notice is-error" key={notice.key}>
            {notice.text}
            <IconButton icon="close" label="Dismiss" onClick={() => chat.notice.set(undefined)} />
          </p>
        )}
      </div>
    </div>
  );
}
