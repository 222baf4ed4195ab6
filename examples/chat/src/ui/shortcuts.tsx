import { useEffect, useRef } from "react";
import { Dialog } from "./dialog.js";

export interface Shortcuts {
  search(): void;
  compose(): void;
  help(): void;
  write(): void;
  escape(): void;
}

const IS_MAC = /Mac|iPhone|iPad/.test(navigator.userAgent);
const COMMAND = IS_MAC ? "⌘" : "Ctrl";
const KEYS: readonly (readonly [keys: readonly string[], meaning: string])[] = [
  [[COMMAND, "K"], "Search"],
  [[COMMAND, "Shift", "O"], "New chat"],
  [["/"], "Write a message"],
  [["Enter"], "Send"],
  [["Shift", "Enter"], "New line"],
  [["↑"], "Edit the last message, when the field is empty"],
  [["Esc"], "Stop the answer, cancel an edit, or close what is open"],
  [["?"], "This list"],
];

/** Handles the shortcuts of the page. */
export function useShortcuts(shortcuts: Shortcuts): void {
  const latest = useRef(shortcuts);
  latest.current = shortcuts;
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      const { search, compose, help, write, escape } = latest.current;
      if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
      const isTyping = event.target instanceof Element && event.target.matches("input, textarea");
      const hasCommand = event.metaKey || event.ctrlKey;
      const key = event.key.toLowerCase();
      if (hasCommand && key === "k") search();
      else if (hasCommand && event.shiftKey && key === "o") compose();
      else if (key === "escape") return escape();
      else if (isTyping || hasCommand || event.altKey) return;
      else if (key === "/") write();
      else if (key === "?") help();
      else return;
      event.preventDefault();
    };
    document.addEventListener("keydown", onKeyDown);
    return () => document.removeEventListener("keydown", onKeyDown);
  }, []);
}

/** Lists the shortcuts. */
export function ShortcutsDialog({ onClose }: { onClose(): void }) {
  return (
    <Dialog title="Keyboard shortcuts" onClose={onClose}>
      <dl className="shortcuts">
        {KEYS.map(([keys, meaning]) => (
          <div key={meaning}>
            <dt>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
      <div className="dialog-actions">
        <button type="button" className="button is-primary" autoFocus onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  );
}
