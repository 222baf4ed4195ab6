// A page with `useChat`. The test reads what it shows, and uses it through `window.chat`.

import { useChat } from "@ai-sdk/react";
import { DefaultChatTransport, type UIMessage, lastAssistantMessageIsCompleteWithApprovalResponses } from "ai";
import { createRoot } from "react-dom/client";

const parameters = new URLSearchParams(location.hash.slice(1));
const id = parameters.get("chat")!;
const isShort = parameters.has("last"); // Only the last message is sent.

function Chat({ stored }: { stored: UIMessage[] }) {
  const chat = useChat({
    id,
    messages: stored,
    resume: true,
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses,
    transport: new DefaultChatTransport({
      ...(isShort && {
        prepareSendMessagesRequest: ({ id, messages, trigger, messageId }) => ({
          body: { id, message: messages.at(-1), trigger, messageId },
        }),
      }),
    }),
  });
  Object.assign(window, { chat });
  const text = ({ parts }: UIMessage) => parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("|");
  return (
    <main data-status={chat.status}>
      {chat.messages.map((message) => (
        <article key={message.id} data-role={message.role}>
          {text(message)}
        </article>
      ))}
      <output>{chat.error?.message}</output>
    </main>
  );
}

const stored = await (await fetch(`/api/chat/${id}`)).json();
createRoot(document.getElementById("root")!).render(<Chat stored={stored} />);
