import type { Conversation, ScrollbackClient, SearchEdge } from "scrollback-client";
import { useEffect, useState } from "react";
import { Highlighted } from "./highlighted.js";
import { onLinkClick, pathOf } from "./route.js";

interface Found {
  titles: Conversation[];
  messages: SearchEdge[];
}

/** Waits until typing has paused. */
const DELAY_MS = 180;

interface ResultsProps {
  client: ScrollbackClient;
  query: string;
  onOpen(conversationId: string, messageId?: string): void;
}

/** Conversations with the text in their titles, and messages with all words. */
export function SearchResults({ client, query, onOpen }: ResultsProps) {
  const [found, setFound] = useState<Found>();
  const [error, setError] = useState<string>();

  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    const search = async () => {
      // The last word may not be complete.
      const words = /[\p{L}\p{N}]$/u.test(query) ? `${query}*` : query;
      const [titles, messages] = await Promise.all([
        client.conversations({ first: 5, filter: { titleContains: query, archived: null }, signal }).page(),
        client.search(words, { first: 20, signal }).page(),
      ]);
      setError(undefined);
      setFound({ titles: titles.nodes, messages: messages.edges });
    };
    const timer = setTimeout(() => {
      search().catch((cause: unknown) => {
        if (!signal.aborted) setError(cause instanceof Error ? cause.message : String(cause));
      });
    }, DELAY_MS);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [client, query]);

  const count = found ? found.titles.length + found.messages.length : 0;
  const summary = error ?? (found ? (count ? `${count} found` : "Nothing found") : "Searching …");
  return (
    <>
      <p className="group" role="status">
        {summary}
      </p>
      {found && found.titles.length > 0 && (
        <section aria-label="Found conversations">
          <h2 className="group">Titles</h2>
          <ul>
            {found.titles.map(({ id, title }) => (
              <li key={id} className="item">
                <a href={pathOf(id)} onClick={(event) => onLinkClick(event, () => onOpen(id))}>
                  <span className="item-title">{title}</span>
                </a>
              </li>
            ))}
          </ul>
        </section>
      )}
      {found && found.messages.length > 0 && (
        <section aria-label="Found messages">
          <h2 className="group">Messages</h2>
          <ul>
            {found.messages.map(({ node, snippet, highlights }) => {
              const { id, title } = node.conversation;
              return (
                <li key={node.id} className="item">
                  <a href={pathOf(id)} onClick={(event) => onLinkClick(event, () => onOpen(id, node.id))}>
                    <span className="item-title">{title ?? "Untitled"}</span>
                    <span className="snippet">
                      <Highlighted text={snippet} ranges={highlights} />
                    </span>
                  </a>
                </li>
              );
            })}
          </ul>
        </section>
      )}
    </>
  );
}
