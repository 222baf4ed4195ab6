import type { Conversation } from "scrollback-client";
import { useState } from "react";
import type { Chat } from "../data/chat.js";
import { ConfirmDialog, TextDialog } from "./dialog.js";
import { MenuButton, type MenuItem } from "./menu.js";

interface MenuProps {
  chat: Chat;
  conversation: Conversation;
  /** Is called when the conversation goes away. */
  onLeave(): void;
}

/** What can be done with a conversation. */
export function ConversationMenu({ chat, conversation, onLeave }: MenuProps) {
  const [dialog, setDialog] = useState<"rename" | "labels" | "delete">();
  const { client, list } = chat;
  const { id, title, labels } = conversation;
  const name = title ?? "Untitled";
  const close = () => setDialog(undefined);
  /** Shows the result at once: the change of the feed comes a moment later. */
  const change = (action: () => Promise<Conversation>, isLeaving = false) => {
    void chat.attempt(async () => {
      list.put(await action());
      if (isLeaving) onLeave();
    });
  };
  const update = (input: object, isLeaving = false) =>
    change(() => client.updateConversation({ id, ...input }), isLeaving);

  const isPinned = conversation.pinnedAt !== null;
  const isArchived = conversation.archivedAt !== null;
  const items: MenuItem[] =
    conversation.trashedAt === null
      ? [
          { label: "Rename", icon: "edit", run: () => setDialog("rename") },
          { label: isPinned ? "Unpin" : "Pin", icon: "pin", run: () => update({ pinned: !isPinned }) },
          { label: "Labels", icon: "tag", run: () => setDialog("labels") },
          {
            label: "Mark as unread",
            icon: "unread",
            run: () => {
              // First: while it is open, what is unread is marked as read.
              onLeave();
              change(() => chat.reading.markUnread(id));
            },
          },
          {
            label: isArchived ? "Take out of the archive" : "Archive",
            icon: "archive",
            run: () => update({ archived: !isArchived }, !isArchived),
          },
          {
            label: "Move to the trash",
            icon: "trash",
            isDangerous: true,
            run: () => change(() => client.trashConversation(id), true),
          },
        ]
      : [
          { label: "Restore", icon: "restore", run: () => change(() => client.restoreConversation(id)) },
          { label: "Delete for good", icon: "trash", isDangerous: true, run: () => setDialog("delete") },
        ];
  return (
    <>
      <MenuButton label={`Options of ${name}`} items={items} />
      {dialog === "rename" && (
        <TextDialog
          title="Rename the conversation"
          label="Title"
          value={title ?? ""}
          maxLength={250}
          action="Rename"
          onClose={close}
          onSave={(value) => (close(), update({ title: value || null }))}
        />
      )}
      {dialog === "labels" && (
        <TextDialog
          title="Labels"
          label="Labels of the conversation"
          hint="Separate them by commas. At most 32."
          value={labels.join(", ")}
          maxLength={2000}
          action="Save"
          onClose={close}
          onSave={(value) => (close(), update({ labels: value.split(/\s*,\s*/).filter(Boolean) }))}
        />
      )}
      {dialog === "delete" && (
        <ConfirmDialog
          title="Delete for good?"
          text={`“${name}”, its messages and its files cannot be restored.`}
          action="Delete"
          onClose={close}
          onConfirm={() => {
            close();
            void chat.attempt(async () => {
              await client.deleteConversation(id);
              onLeave();
            });
          }}
        />
      )}
    </>
  );
}
