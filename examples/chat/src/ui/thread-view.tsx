import { useEffect, useState, useSyncExternalStore } from "react";
import type { Chat } from "../data/chat.js";
import { useStore } from "../data/store.js";
import type { Thread } from "../data/thread.js";
import { Composer } from "./composer.js";
import { ConversationMenu } from "./conversation-menu.js";
import { Header, type MenuButtonProps } from "./header.js";
import { IconButton } from "./icons.js";
import { MessageView } from "./message-view.js";
import { PendingMessage } from "./pending-message.js";
import { Unanswered } from "./unanswered.js";
import { useMarkRead } from "./use-mark-read.js";
import { useMessageScroll } from "./use-message-scroll.js";

interface ThreadViewProps {
  chat: Chat;
  thread: Thread;
  menuButton: MenuButtonProps;
  onLeave(): void;
}

/** The conversation that is open. */
export function ThreadView({ chat, thread, menuButton, onLeave }: ThreadViewProps) {
  const state = useStore(thread.state);
  const { conversation, hasOlder, isLoading, error, revealed } = state;
  const entries = useSyncExternalStore(
    (listener) => chat.outbox.subscribe(listener),
    () => chat.outbox.entries,
  );
  const [editing, setEditing] = useState<string>();

  const pending = entries.filter(({ message }) => message.conversationId === thread.id && !thread.has(message.id));
  // An edited question that waits replaces those after its parent.
  const parentId = pending[0]?.message.parentId;
  const end = parentId === undefined ? -1 : state.messages.findIndex(({ id }) => id === parentId) + 1;
  const messages = end < 0 ? state.messages : state.messages.slice(0, end);
  const last = messages.at(-1);
  const isStreaming = messages.some(({ status }) => status === "STREAMING");

  const { scroller, sentinel, isAtEnd, scrollToEnd } = useMessageScroll(thread, chat, revealed);
  useMarkRead(chat, state);

  useEffect(() => {
    document.title = `${conversation?.title ?? "Chat"} · Scrollback chat`;
  }, [conversation?.title]);
  useEffect(() => {
    const stopOnEscape = (event: KeyboardEvent) => {
      if (event.key === "Escape" && !event.defaultPrevented && isStreaming) void chat.attempt(() => thread.stop());
    };
    document.addEventListener("keydown", stopOnEscape);
    return () => document.removeEventListener("keydown", stopOnEscape);
  }, [chat, thread, isStreaming]);

  if (error) {
    return (
      <>
        <Header menuButton={menuButton} title="" />
        <div className="empty is-page" role="alert">
          <h1>{error.isMissing ? "There is no such conversation" : "The conversation cannot be read"}</h1>
          <p>{error.isMissing ? "It was deleted, or it belongs to somebody else." : error.text}</p>
          <button type="button" className="button is-primary" onClick={error.isMissing ? onLeave : () => void thread.load()}>
            {error.isMissing ? "New chat" : "Try again"}
          </button>
        </div>
      </>
    );
  }
  const lastQuestion = messages.findLast(({ role, deletedAt }) => role === "USER" && !deletedAt);
  return (
    <>
      <Header menuButton={menuButton} title={conversation ? (conversation.title ?? "Untitled") : ""}>
        {conversation && <ConversationMenu chat={chat} conversation={conversation} onLeave={onLeave} />}
      </Header>
      <div className="scroller" ref={scroller} tabIndex={0} role="region" aria-label="Messages">
        <div className="messages" aria-busy={isLoading}>
          <div ref={sentinel} className="sentinel">
            {hasOlder && <span className="spinner" role="status" aria-label="Loading older messages" />}
          </div>
          {messages.map((message) => (
            <MessageView
              key={message.id}
              chat={chat}
              thread={thread}
              message={message}
              isEditing={editing === message.id}
              isRevealed={revealed === message.id}
              onEdit={setEditing}
            />
          ))}
          {pending.map((entry) => (
            <PendingMessage key={entry.message.id} outbox={chat.outbox} entry={entry} />
          ))}
          {last?.role === "USER" && !last.deletedAt && !pending.length && (
            <Unanswered key={last.id} askedAt={last.createdAt} onAsk={() => void chat.answer(thread.id, last.id)} />
          )}
        </div>
      </div>
      <p className="visually-hidden" role="status">
        {isStreaming ? "The answer is being written." : last?.role === "ASSISTANT" ? "The answer has ended." : ""}
      </p>
      <div className="composer-area">
        {!isAtEnd && (
          <IconButton icon="down" label="Jump to the newest message" className="jump" onClick={() => scrollToEnd(true)} />
        )}
        {conversation?.trashedAt ? (
          <div className="in-trash">
            <p>This conversation is in the trash.</p>
            <button
              type="button"
              className="button"
              onClick={() => void chat.attempt(() => chat.client.restoreConversation(thread.id))}
            >
              Restore
            </button>
          </div>
        ) : (
          <Composer
            chat={chat}
            conversationId={thread.id}
            isStreaming={isStreaming}
            onStop={() => void chat.attempt(() => thread.stop())}
            onEditLast={() => lastQuestion && setEditing(lastQuestion.id)}
            onSend={async (draft) => {
              scrollToEnd(false);
              await chat.send(thread.id, draft);
            }}
          />
        )}
      </div>
    </>
  );
}
