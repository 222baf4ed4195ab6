import type { MessagePart, ScrollbackClient } from "scrollback-client";
import type { ThreadMessage } from "../data/thread.js";
import { FileView } from "./file-view.js";
import { Icon } from "./icons.js";
import { MarkdownText } from "./markdown-text.js";

interface PartsProps {
  message: ThreadMessage;
  client: ScrollbackClient;
  serverUrl: string;
}

/** What a message consists of: texts, reasoning, calls of tools, files and sources. */
export function MessageParts({ message, client, serverUrl }: PartsProps) {
  const { id, role, status, parts, content, metadata } = message;
  const sizes = (metadata as { pictureSizes?: Record<string, readonly [number, number]> }).pictureSizes ?? {};
  if (status === "STREAMING") {
    return (
      <div className="text is-streaming">
        {content ? <MarkdownText text={content} /> : <span className="visually-hidden">The answer begins.</span>}
        <span className="caret" aria-hidden="true" />
      </div>
    );
  }
  const files = parts.filter((part) => part.__typename === "FilePart");
  const others = parts.filter((part) => part.__typename !== "FilePart");
  return (
    <>
      {files.length > 0 && (
        <ul className="files">
          {files.map((part, index) => (
            <li key={index}>
              <FileView
                part={part}
                messageId={id}
                client={client}
                serverUrl={serverUrl}
                size={part.attachment ? sizes[part.attachment.id] : undefined}
              />
            </li>
          ))}
        </ul>
      )}
      {others.map((part, index) => (
        <PartView key={index} part={part} isUser={role === "USER"} />
      ))}
    </>
  );
}

function PartView({ part, isUser }: { part: MessagePart; isUser: boolean }) {
  switch (part.__typename) {
    case "TextPart":
      if (!part.text) return null;
      return isUser ? <div className="bubble">{part.text}</div> : <div className="text"><MarkdownText text={part.text} /></div>;
    case "ReasoningPart":
      return (
        <details className="step">
          <summary>
            <Icon name="thought" />
            Reasoning
          </summary>
          <p>{part.text}</p>
        </details>
      );
    case "ToolPart":
      return (
        <details className="step">
          <summary>
            <Icon name="tool" />
            Used <code>{part.toolName}</code>
          </summary>
          <Json label="Input" value={part.input} />
          {part.errorText ? <p className="error">{part.errorText}</p> : <Json label="Output" value={part.output} />}
        </details>
      );
    case "SourceUrlPart":
      return (
        <p className="source">
          <a href={/^https?:/.test(part.url) ? part.url : undefined} target="_blank" rel="noopener noreferrer">
            {part.title ?? part.url}
          </a>
        </p>
      );
    case "SourceDocumentPart":
      return <p className="source">{part.title ?? part.filename ?? part.sourceId}</p>;
    default:
      return null;
  }
}

function Json({ label, value }: { label: string; value: unknown }) {
  if (value === null || value === undefined) return null;
  return (
    <>
      <p className="step-label">{label}</p>
      <pre tabIndex={0} role="region" aria-label={label}>
        {JSON.stringify(value, null, 2)}
      </pre>
    </>
  );
}
