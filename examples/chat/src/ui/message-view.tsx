import { newId } from "scrollback-client";
import { memo } from "react";
import type { Chat } from "../data/chat.js";
import type { Thread, ThreadMessage } from "../data/thread.js";
import { CopyButton } from "./copy-button.js";
import { EditForm } from "./edit-form.js";
import { IconButton } from "./icons.js";
import { MessageParts } from "./message-parts.js";
import { VersionSwitch } from "./version-switch.js";

interface MessageViewProps {
  chat: Chat;
  thread: Thread;
  message: ThreadMessage;
  isEditing: boolean;
  isRevealed: boolean;
  onEdit(id: string | undefined): void;
}

const ENDINGS: Record<string, string> = {
  INTERRUPTED: "This answer was stopped.",
  FAILED: "The model failed. The text so far is kept.",
};

/** A message with what can be done with it. */
export const MessageView = memo(function MessageView(props: MessageViewProps) {
  const { chat, thread, message, isEditing, isRevealed, onEdit } = props;
  const { id, role, content, status, parent, deletedAt, versions } = message;
  const isUser = role === "USER";
  const isStreaming = status === "STREAMING";
  const answerAgain = () => parent && void chat.answer(thread.id, parent.id, newId());
  return (
    <article
      id={`message-${id}`}
      className={`message is-${role.toLowerCase()} ${isRevealed ? "is-revealed" : ""}`}
      aria-label={isUser ? "You" : "Answer"}
      aria-busy={isStreaming}
      data-status={status}
    >
      {isEditing ? (
        <EditForm
          text={content}
          onCancel={() => onEdit(undefined)}
          onSave={async (text) => {
            const draft = { text, files: filesOf(message), parentId: parent?.id ?? null };
            if (await chat.attempt(() => chat.send(thread.id, draft))) onEdit(undefined);
          }}
        />
      ) : deletedAt ? (
        <p className="deleted">This message was deleted.</p>
      ) : (
        <MessageParts message={message} client={chat.client} serverUrl={chat.session.url} />
      )}
      {ENDINGS[status] && !deletedAt && <p className="ending">{ENDINGS[status]}</p>}
      {!isEditing && (
        <div className="message-actions">
          {versions.length > 1 && (
            <VersionSwitch
              versions={versions}
              id={id}
              onSwitch={(version) => chat.attempt(() => thread.switchTo(version))}
            />
          )}
          {!isStreaming && !deletedAt && <CopyButton label="Copy the message" text={content} />}
          {isUser && !deletedAt && <IconButton icon="edit" label="Edit the question" onClick={() => onEdit(id)} />}
          {!isUser && !isStreaming && parent && (
            <IconButton icon="again" label="Answer again" onClick={answerAgain} />
          )}
        </div>
      )}
    </article>
  );
});

/** The attachments of a message, for another version of it. */
function filesOf({ parts, metadata }: ThreadMessage) {
  const sizes = ((metadata as { pictureSizes?: Record<string, [number, number]> }).pictureSizes ?? {});
  return parts.flatMap((part) =>
    part.__typename === "FilePart" && part.attachment
      ? [{ id: part.attachment.id, mediaType: part.mediaType, filename: part.filename ?? "file", size: sizes[part.attachment.id] }]
      : [],
  );
}
