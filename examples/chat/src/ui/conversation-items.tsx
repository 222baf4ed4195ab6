import type { Conversation } from "scrollback-client";
import { useEffect, useRef } from "react";
import type { Chat } from "../data/chat.js";
import type { View } from "../data/list.js";
import { useStore } from "../data/store.js";
import { ConversationMenu } from "./conversation-menu.js";
import { onLinkClick, pathOf } from "./route.js";

const EMPTY: Record<View, [string, string]> = {
  chats: ["No conversations yet", "Write a message, and it begins."],
  archive: ["Nothing archived", "Archived conversations come back with their next message."],
  trash: ["The trash is empty", "What is in the trash is deleted for good after 30 days."],
};

interface ItemsProps {
  chat: Chat;
  openId: string | undefined;
  onOpen(conversationId: string | undefined): void;
}

/** The conversations of the view: pinned ones, then by day. */
export function ConversationItems({ chat, openId, onOpen }: ItemsProps) {
  const state = useStore(chat.list.state);
  const { pinned, others, view, label, isLoading, hasMore, error } = state;
  if (error && !pinned.length && !others.length) {
    return (
      <div className="empty" role="alert">
        <p>{error}</p>
        <button type="button" className="button" onClick={() => void chat.list.load().catch(() => {})}>
          Try again
        </button>
      </div>
    );
  }
  if (!pinned.length && !others.length) {
    if (isLoading) return <Skeleton />;
    const [title, text] = label === undefined ? EMPTY[view] : [`Nothing with “${label}”`, "Choose another label."];
    return (
      <div className="empty">
        <p className="empty-title">{title}</p>
        <p>{text}</p>
      </div>
    );
  }
  const groups = [["Pinned", pinned] as const, ...byDay(others)].filter(([, all]) => all.length);
  return (
    <>
      {groups.map(([name, conversations]) => (
        <section key={name} aria-label={name}>
          <h2 className="group">{name}</h2>
          <ul>
            {conversations.map((conversation) => (
              <Item key={conversation.id} {...{ chat, conversation, openId, onOpen }} />
            ))}
          </ul>
        </section>
      ))}
      {hasMore && <More load={() => void chat.list.loadMore()} isLoading={isLoading} />}
    </>
  );
}

function Item({ chat, conversation, openId, onOpen }: ItemsProps & { conversation: Conversation }) {
  const { id, title, unreadCount, labels } = conversation;
  const unread = unreadCount > 0 && id !== openId ? unreadCount : 0;
  return (
    <li className={`item ${unread ? "is-unread" : ""}`}>
      <a
        href={pathOf(id)}
        aria-current={id === openId ? "page" : undefined}
        onClick={(event) => onLinkClick(event, () => onOpen(id))}
      >
        <span className="item-title">{title ?? "Untitled"}</span>
        {labels.length > 0 && (
          <span className="item-labels">
            {labels.map((label) => (
              <span key={label} className="label is-small">
                {label}
              </span>
            ))}
          </span>
        )}
        {unread > 0 && (
          <span className="badge">
            {unread > 99 ? "99+" : unread}
            <span className="visually-hidden"> unread</span>
          </span>
        )}
      </a>
      <ConversationMenu chat={chat} conversation={conversation} onLeave={() => id === openId && onOpen(undefined)} />
    </li>
  );
}

/** Loads the next page when it comes into view. The button is for those who do not scroll. */
function More({ load, isLoading }: { load(): void; isLoading: boolean }) {
  const button = useRef<HTMLButtonElement>(null);
  const latest = useRef(load);
  latest.current = load;
  useEffect(() => {
    const observer = new IntersectionObserver(([entry]) => entry?.isIntersecting && latest.current());
    observer.observe(button.current!);
    return () => observer.disconnect();
  }, [isLoading]);
  return (
    <button ref={button} type="button" className="button more" onClick={load}>
      {isLoading ? "Loading …" : "Show more"}
    </button>
  );
}

function Skeleton() {
  return (
    <div className="skeleton" aria-busy="true" aria-label="Loading conversations" role="status">
      {Array.from({ length: 6 }, (_, index) => (
        <span key={index} style={{ width: `${85 - ((index * 17) % 40)}%` }} />
      ))}
    </div>
  );
}

function byDay(conversations: readonly Conversation[]): (readonly [string, readonly Conversation[]])[] {
  const today = new Date().setHours(0, 0, 0, 0);
  const day = 24 * 3_600_000;
  const limits = [
    ["Today", today],
    ["Yesterday", today - day],
    ["Last 7 days", today - 7 * day],
    ["Older", Number.NEGATIVE_INFINITY],
  ] as const;
  const groups = Object.groupBy(conversations, ({ updatedAt }) => {
    const time = Date.parse(updatedAt);
    return limits.find(([, from]) => time >= from)?.[0] ?? "Older";
  });
  return limits.map(([name]) => [name, groups[name] ?? []] as const);
}
