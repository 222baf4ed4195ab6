import type { Outbox, OutboxEntry } from "scrollback-client";

/** A message that waits to be sent, or could not be sent. */
export function PendingMessage({ outbox, entry }: { outbox: Outbox; entry: OutboxEntry }) {
  const { message, error } = entry;
  const { id } = message;
  const texts = (message.parts ?? []).map(({ text, file }) => text?.text ?? `📎 ${file?.filename ?? "file"}`);
  return (
    <article className="message is-user is-pending" aria-label="You">
      <div className="bubble">{message.content ?? texts.join("\n")}</div>
      {error ? (
        <div className="message-actions is-shown">
          <span className="error">Not sent: {error.message}</span>
          <button type="button" className="button is-small" onClick={() => void outbox.retry(id)}>
            Try again
          </button>
          <button type="button" className="button is-small" onClick={() => void outbox.discard(id)}>
            Discard
          </button>
        </div>
      ) : (
        <div className="message-actions is-shown">
          <span className="sending">Sending …</span>
        </div>
      )}
    </article>
  );
}
