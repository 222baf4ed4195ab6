import { useEffect, useRef, useState } from "react";
import type { Chat, Draft } from "../data/chat.js";
import { useStore } from "../data/store.js";
import { ChosenFiles } from "./chosen-files.js";
import { IconButton } from "./icons.js";

interface ComposerProps {
  chat: Chat;
  /** The conversation that the message is for. Its text is kept while another one is open. */
  conversationId?: string;
  isStreaming: boolean;
  onStop?(): void;
  onEditLast?(): void;
  onSend(draft: Draft): Promise<void>;
}

/** The field for the next message. Enter sends, Shift+Enter begins a line; files can be chosen, pasted or dropped. */
export function Composer({ chat, conversationId = "", isStreaming, onStop, onEditLast, onSend }: ComposerProps) {
  const { uploads } = chat;
  const files = useStore(uploads.state);
  const [text, setText] = useState(() => chat.texts.get(conversationId) ?? "");
  const [isSending, setIsSending] = useState(false);
  const [isTarget, setIsTarget] = useState(false);
  const chooser = useRef<HTMLInputElement>(null);
  const areReady = files.every(({ status }) => status === "ready");
  useEffect(() => void chat.texts.set(conversationId, text), [chat, conversationId, text]);
  const canSend = !isStreaming && !isSending && areReady && (text.trim() !== "" || files.length > 0);

  const send = async () => {
    if (!canSend) return;
    const chosen = uploads.state.value;
    // The files stay until they are sent. Another text need not wait.
    setIsSending(chosen.length > 0);
    const draft = {
      text: text.trimEnd(),
      files: chosen.map(({ id, file, size }) => ({
        id,
        mediaType: file.type || "application/octet-stream",
        filename: file.name,
        size,
      })),
    };
    setText("");
    const isSent = await chat.attempt(() => onSend(draft));
    if (!isSent) setText((later) => (later === "" ? draft.text : `${draft.text}\n${later}`));
    else if (chosen.length > 0) uploads.take();
    setIsSending(false);
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      void send();
    } else if (event.key === "ArrowUp" && text === "" && onEditLast) {
      event.preventDefault();
      onEditLast();
    }
  };
  const onDrop = (event: React.DragEvent) => {
    event.preventDefault();
    setIsTarget(false);
    uploads.add(event.dataTransfer.files);
  };
  const onPaste = ({ clipboardData }: React.ClipboardEvent) => uploads.add(clipboardData.files);

  return (
    <form
      className={`composer ${isTarget ? "is-target" : ""}`}
      aria-label="New message"
      onSubmit={(event) => (event.preventDefault(), void send())}
      onDragOver={(event) => (event.preventDefault(), setIsTarget(true))}
      onDragLeave={() => setIsTarget(false)}
      onDrop={onDrop}
    >
      <ChosenFiles uploads={uploads} files={files} />
      <div className="composer-row">
        <IconButton icon="clip" label="Attach files" onClick={() => chooser.current?.click()} />
        <input
          ref={chooser}
          type="file"
          multiple
          hidden
          aria-label="Files"
          onChange={(event) => {
            uploads.add(event.target.files ?? []);
            event.target.value = "";
          }}
        />
        <textarea
          id="composer"
          aria-label="Message"
          placeholder="Write a message"
          rows={1}
          autoFocus={!matchMedia("(pointer: coarse)").matches}
          value={text}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={onKeyDown}
          onPaste={onPaste}
        />
        {isStreaming && onStop ? (
          <IconButton icon="stop" label="Stop the answer" className="is-primary" onClick={onStop} />
        ) : (
          <IconButton icon="send" label="Send" type="submit" className="is-primary" disabled={!canSend} />
        )}
      </div>
    </form>
  );
}
