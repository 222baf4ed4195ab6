import { useRef, useState } from "react";
import type { Chat } from "../data/chat.js";
import type { View } from "../data/list.js";
import { useStore } from "../data/store.js";
import { ConversationItems } from "./conversation-items.js";
import { Icon, IconButton } from "./icons.js";
import { SearchResults } from "./search-results.js";
import { ThemeSwitch } from "./theme.js";

const VIEWS: readonly [View, string][] = [
  ["chats", "Chats"],
  ["archive", "Archive"],
  ["trash", "Trash"],
];

interface SidebarProps {
  chat: Chat;
  openId: string | undefined;
  searchRef: React.RefObject<HTMLInputElement | null>;
  isHidden: boolean;
  isDrawer: boolean;
  onOpen(conversationId: string | undefined, messageId?: string): void;
  onClose(): void;
  onHelp(): void;
  onSignOut(): void;
}

export function Sidebar({ chat, openId, searchRef, isHidden, isDrawer, ...on }: SidebarProps) {
  const { view, label, labels } = useStore(chat.list.state);
  const [query, setQuery] = useState("");
  const results = useRef<HTMLDivElement>(null);
  const isSearching = query.trim() !== "";
  const clear = () => {
    setQuery("");
    searchRef.current?.focus();
  };
  const onSearchKey = (event: React.KeyboardEvent) => {
    if (event.key === "Escape" && query) clear();
    else if (event.key === "ArrowDown") results.current?.querySelector<HTMLElement>("a")?.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <nav className="sidebar" aria-label="Conversations" inert={isHidden}>
      <div className="sidebar-head">
        <span className="brand">
          <img src="/icon.svg" alt="" width="26" height="26" />
          Scrollback
        </span>
        {isDrawer && <IconButton icon="close" label="Close the list" onClick={on.onClose} />}
        <IconButton icon="compose" label="New chat" onClick={() => on.onOpen(undefined)} />
      </div>
      <div className="search" role="search">
        <Icon name="search" />
        <input
          ref={searchRef}
          type="search"
          aria-label="Search titles and messages"
          placeholder="Search"
          value={query}
          onChange={(event) => setQuery(event.target.value)}
          onKeyDown={onSearchKey}
        />
        {isSearching && <IconButton icon="close" label="Clear the search" onClick={clear} />}
      </div>
      {isSearching ? (
        <div className="sidebar-body" ref={results}>
          <SearchResults client={chat.client} query={query.trim()} onOpen={on.onOpen} />
        </div>
      ) : (
        <>
          <div className="views" role="group" aria-label="Which conversations">
            {VIEWS.map(([one, name]) => (
              <button key={one} type="button" aria-pressed={view === one} onClick={() => void chat.list.show(one)}>
                {name}
              </button>
            ))}
          </div>
          {labels.length > 0 && view !== "trash" && (
            <div className="label-filter" role="group" aria-label="Labels">
              {labels.map((one) => {
                const isChosen = label?.toLowerCase() === one.label.toLowerCase();
                return (
                  <button
                    key={one.label}
                    type="button"
                    className="label"
                    aria-pressed={isChosen}
                    onClick={() => void chat.list.show(view, isChosen ? undefined : one.label)}
                  >
                    {one.label}
                    <span className="label-count">{one.conversationCount}</span>
                  </button>
                );
              })}
            </div>
          )}
          <div className="sidebar-body">
            <ConversationItems chat={chat} openId={openId} onOpen={on.onOpen} />
          </div>
        </>
      )}
      <div className="sidebar-foot">
        <span className="avatar" aria-hidden="true">
          {chat.session.user.slice(0, 1).toUpperCase()}
        </span>
        <span className="user">{chat.session.user}</span>
        <ThemeSwitch />
        <IconButton icon="keyboard" label="Keyboard shortcuts" onClick={on.onHelp} />
        <IconButton icon="leave" label="Sign out" onClick={on.onSignOut} />
      </div>
    </nav>
  );
}
