import { useEffect } from "react";
import type { Chat } from "../data/chat.js";
import { Composer } from "./composer.js";
import { Header, type MenuButtonProps } from "./header.js";

const IDEAS = ["When is high tide?", "Write a function", "Tell me a long story"];

/** A conversation that begins with its first message. */
export function NewThread({ chat, menuButton, onBegin }: { chat: Chat; menuButton: MenuButtonProps; onBegin(id: string): void }) {
  useEffect(() => {
    document.title = "Scrollback chat";
  }, []);
  const begin = async (text: string) => onBegin(await chat.begin({ text }));
  return (
    <>
      <Header menuButton={menuButton} title="" />
      <div className="welcome">
        <h1>What would you like to know?</h1>
        <div className="ideas">
          {IDEAS.map((idea) => (
            <button key={idea} type="button" className="idea" onClick={() => void chat.attempt(() => begin(idea))}>
              {idea}
            </button>
          ))}
        </div>
      </div>
      <div className="composer-area">
        <Composer chat={chat} isStreaming={false} onSend={async (draft) => onBegin(await chat.begin(draft))} />
      </div>
    </>
  );
}
