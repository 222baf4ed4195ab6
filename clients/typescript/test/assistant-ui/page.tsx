// A page with assistant-ui's runtime. The test uses it through `window.runtime`.

import {
  AssistantRuntimeProvider,
  type ChatModelAdapter,
  useLocalRuntime,
  useRemoteThreadListRuntime,
} from "@assistant-ui/react";
import { useChatRuntime } from "@assistant-ui/react-ai-sdk";
import { createRoot } from "react-dom/client";
import { createClient } from "scrollback-client";
import { createThreadListAdapter } from "scrollback-client/assistant-ui";

const parameters = new URLSearchParams(location.hash.slice(1));
const client = createClient({ url: location.origin, token: parameters.get("token")! });
const adapter = createThreadListAdapter(client);

let count = 0;

/** Answers every question differently, with one part of each kind. */
const model: ChatModelAdapter = {
  async *run({ messages }) {
    const question = messages.at(-1)!.content.map((part) => (part.type === "text" ? part.text : "")).join("");
    const args = { question };
    yield { content: [{ type: "reasoning", text: "Hm." }] };
    yield {
      content: [
        { type: "reasoning", text: "Hm.", providerMetadata: { mock: { signature: "s" } } },
        { type: "tool-call", toolCallId: `call-${++count}`, toolName: "look-up", args, argsText: JSON.stringify(args), result: [1], artifact: { a: 1 } },
        { type: "source", sourceType: "url", id: "s1", url: "https://example.org/", title: "Example" },
        { type: "text", text: `Answer to ${question} (${document.title}${count})` },
      ],
      metadata: { custom: { model: "scripted" } },
    };
  },
};

const useLocal = () => useLocalRuntime(model);
const useChat = () => useChatRuntime();

function App() {
  const runtimeHook = parameters.has("ai-sdk") ? useChat : useLocal;
  const runtime = useRemoteThreadListRuntime({ runtimeHook, adapter });
  Object.assign(window, { runtime, adapter });
  return <AssistantRuntimeProvider runtime={runtime}>ready</AssistantRuntimeProvider>;
}

document.title = parameters.get("name") ?? "";
createRoot(document.getElementById("root")!).render(<App />);
