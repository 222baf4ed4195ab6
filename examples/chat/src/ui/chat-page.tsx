import { useEffect, useRef, useState } from "react";
import { flushSync } from "react-dom";
import type { Chat } from "../data/chat.js";
import { useStore } from "../data/store.js";
import { NewThread } from "./new-thread.js";
import { Notice } from "./notice.js";
import { useRoute } from "./route.js";
import { ShortcutsDialog, useShortcuts } from "./shortcuts.js";
import { Sidebar } from "./sidebar.js";
import { ThreadView } from "./thread-view.js";
import { useIsPhone } from "./use-is-phone.js";

/** The chat: conversations beside the one that is open. On a phone they are in a drawer. */
export function ChatPage({ chat, onSignOut }: { chat: Chat; onSignOut(): void }) {
  const [id, go] = useRoute();
  const thread = useStore(chat.thread);
  const isPhone = useIsPhone();
  const [isDrawerOpen, setIsDrawerOpen] = useState(false);
  const [isHelpOpen, setIsHelpOpen] = useState(false);
  const [revealed, setRevealed] = useState<{ messageId: string } | undefined>();
  const drawerButton = useRef<HTMLButtonElement>(null);
  const search = useRef<HTMLInputElement>(null);

  useEffect(() => void chat.open(id), [chat, id]);
  useEffect(() => {
    // A search result: its message is marked once it is loaded.
    if (revealed && thread?.id === id) void chat.attempt(() => thread!.reveal(revealed.messageId));
  }, [chat, thread, id, revealed]);

  const isSidebarHidden = isPhone && !isDrawerOpen;
  // What is inert cannot have the focus, so the page must have changed before.
  const openDrawer = () => {
    flushSync(() => setIsDrawerOpen(true));
    document.querySelector<HTMLElement>(".sidebar .icon-button")?.focus();
  };
  const closeDrawer = () => {
    flushSync(() => setIsDrawerOpen(false));
    drawerButton.current?.focus();
  };
  const openConversation = (conversationId: string | undefined, messageId?: string) => {
    setRevealed(messageId === undefined ? undefined : { messageId });
    go(conversationId);
    setIsDrawerOpen(false);
    if (conversationId === undefined) requestAnimationFrame(() => focusComposer());
  };

  useShortcuts({
    search: () => {
      flushSync(() => setIsDrawerOpen(isPhone));
      search.current?.focus();
    },
    compose: () => openConversation(undefined),
    help: () => setIsHelpOpen(true),
    write: focusComposer,
    escape: () => isPhone && isDrawerOpen && closeDrawer(),
  });

  const menuButton = { ref: drawerButton, isOpen: isDrawerOpen, open: openDrawer };
  return (
    <div className={`layout ${isDrawerOpen ? "has-drawer" : ""}`}>
      <a className="skip-link" href="#main" onClick={(event) => (event.preventDefault(), focusComposer())}>
        Skip to the message field
      </a>
      <Sidebar
        chat={chat}
        openId={id}
        searchRef={search}
        isHidden={isSidebarHidden}
        isDrawer={isPhone}
        onOpen={openConversation}
        onClose={closeDrawer}
        onHelp={() => setIsHelpOpen(true)}
        onSignOut={onSignOut}
      />
      <div className="backdrop" onClick={closeDrawer} />
      <main className="main" id="main" tabIndex={-1} inert={isPhone && isDrawerOpen}>
        {id !== undefined && thread?.id === id ? (
          <ThreadView key={id} chat={chat} thread={thread} menuButton={menuButton} onLeave={() => go(undefined)} />
        ) : (
          id === undefined && <NewThread chat={chat} menuButton={menuButton} onBegin={(begun) => go(begun)} />
        )}
      </main>
      <Notice chat={chat} />
      {isHelpOpen && <ShortcutsDialog onClose={() => setIsHelpOpen(false)} />}
    </div>
  );
}

function focusComposer(): void {
  const target = document.getElementById("composer") ?? document.getElementById("main");
  target?.focus();
}
