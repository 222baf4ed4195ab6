import { useCallback, useEffect, useState } from "react";
import { Chat } from "../data/chat.js";
import { fetchSession, signOut } from "../data/session.js";
import { ChatPage } from "./chat-page.js";
import { SignIn } from "./sign-in.js";

type State = { kind: "loading" } | { kind: "signed-out" } | { kind: "failed"; text: string } | { kind: "open"; chat: Chat };

/** The page: a sign-in, then the chat. */
export function App() {
  const [state, setState] = useState<State>({ kind: "loading" });

  const open = useCallback(async () => {
    try {
      const session = await fetchSession();
      setState(session ? { kind: "open", chat: new Chat(session) } : { kind: "signed-out" });
    } catch (error) {
      setState({ kind: "failed", text: error instanceof Error ? error.message : String(error) });
    }
  }, []);
  useEffect(() => void open(), [open]);

  switch (state.kind) {
    case "loading":
      return <main className="sign-in" aria-busy="true" aria-label="Loading" />;
    case "signed-out":
      return <SignIn onDone={() => void open()} />;
    case "failed":
      return (
        <main className="sign-in">
          <div className="card" role="alert">
            <h1>The chat cannot be reached</h1>
            <p>{state.text}</p>
            <button type="button" className="button is-primary" onClick={() => void open()}>
              Try again
            </button>
          </div>
        </main>
      );
    case "open": {
      const leave = async () => {
        await signOut();
        state.chat.close();
        history.replaceState(null, "", "/");
        setState({ kind: "signed-out" });
      };
      return <ChatPage chat={state.chat} onSignOut={() => void state.chat.attempt(leave)} />;
    }
  }
}
