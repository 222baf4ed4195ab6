import type { ReactNode } from "react";
import { IconButton } from "./icons.js";

export interface MenuButtonProps {
  ref: React.RefObject<HTMLButtonElement | null>;
  isOpen: boolean;
  open(): void;
}

/** The top of the page: the title, and on a phone the button that shows the conversations. */
export function Header(props: { menuButton: MenuButtonProps; title: string; children?: ReactNode }) {
  const { ref, isOpen, open } = props.menuButton;
  return (
    <header className="header">
      <IconButton ref={ref} icon="menu" label="Conversations" className="drawer-button" aria-expanded={isOpen} onClick={open} />
      {props.title ? <h1 className="title">{props.title}</h1> : <span className="title" />}
      {props.children}
    </header>
  );
}
