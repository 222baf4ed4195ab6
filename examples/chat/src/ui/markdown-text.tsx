import { isValidElement, memo } from "react";
import Markdown, { type Components } from "react-markdown";
import remarkGfm from "remark-gfm";
import { CopyButton } from "./copy-button.js";

const PLUGINS = [remarkGfm];

const COMPONENTS: Components = {
  a: ({ href, children }) => (
    <a href={href} target="_blank" rel="noopener noreferrer">
      {children}
    </a>
  ),
  // Pictures of other sites would tell them who reads.
  img: ({ src, alt }) => (
    <a href={typeof src === "string" ? src : undefined} target="_blank" rel="noopener noreferrer">
      {alt || "picture"}
    </a>
  ),
  pre: ({ children }) => {
    const code = isValidElement<{ className?: string; children?: unknown }>(children) ? children.props : {};
    const language = /language-(\S+)/.exec(code.className ?? "")?.[1] ?? "text";
    return (
      <div className="code">
        <div className="code-head">
          <span>{language}</span>
          <CopyButton label="Copy the code" text={String(code.children ?? "")} />
        </div>
        <pre tabIndex={0} role="region" aria-label={`Code: ${language}`}>
          {children}
        </pre>
      </div>
    );
  },
  table: ({ children }) => (
    <div className="table" tabIndex={0} role="region" aria-label="Table">
      <table>{children}</table>
    </div>
  ),
  // A header without a text is none.
  th: ({ children, style }) => (children ? <th style={style}>{children}</th> : <td />),
  input: ({ checked }) => (
    <span role="img" aria-label={checked ? "done" : "open"}>
      {checked ? "☑" : "☐"}
    </span>
  ),
};

/** Markdown as elements. HTML in it is shown as text. */
export const MarkdownText = memo(function MarkdownText({ text }: { text: string }) {
  return (
    <div className="markdown">
      <Markdown remarkPlugins={PLUGINS} components={COMPONENTS}>
        {text}
      </Markdown>
    </div>
  );
});
