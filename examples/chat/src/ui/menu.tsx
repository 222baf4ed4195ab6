import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { Icon, IconButton, type IconName } from "./icons.js";

export interface MenuItem {
  label: string;
  icon: IconName;
  isDangerous?: boolean;
  run(): void;
}

/** A button that opens a menu. Arrow keys, Home, End, and letters move in it; Escape closes it. */
export function MenuButton({ label, items }: { label: string; items: readonly MenuItem[] }) {
  const [isOpen, setIsOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const close = (isFocusKept: boolean) => {
    setIsOpen(false);
    if (!isFocusKept) button.current?.focus();
  };
  return (
    <>
      <IconButton
        ref={button}
        icon="more"
        label={label}
        aria-haspopup="menu"
        aria-expanded={isOpen}
        onClick={() => setIsOpen(!isOpen)}
      />
      {isOpen && <Menu label={label} items={items} anchor={button} onClose={close} />}
    </>
  );
}

interface MenuProps {
  label: string;
  items: readonly MenuItem[];
  anchor: React.RefObject<HTMLButtonElement | null>;
  onClose(isFocusKept: boolean): void;
}

function Menu({ label, items, anchor, onClose }: MenuProps) {
  const menu = useRef<HTMLDivElement>(null);

  useLayoutEffect(() => {
    const element = menu.current!;
    const place = anchor.current!.getBoundingClientRect();
    const { offsetHeight: height, offsetWidth: width } = element;
    const isBelow = place.bottom + height + 8 < window.innerHeight;
    element.style.top = `${isBelow ? place.bottom + 4 : Math.max(8, place.top - height - 4)}px`;
    element.style.left = `${Math.max(8, Math.min(place.right - width, window.innerWidth - width - 8))}px`;
    element.querySelector<HTMLElement>("[role=menuitem]")?.focus();
  }, [anchor]);

  useEffect(() => {
    const closeOutside = (event: Event) => {
      const target = event.target as Node;
      if (!menu.current?.contains(target) && !anchor.current?.contains(target)) onClose(true);
    };
    const closeOnResize = () => onClose(true);
    document.addEventListener("pointerdown", closeOutside);
    window.addEventListener("resize", closeOnResize);
    return () => {
      document.removeEventListener("pointerdown", closeOutside);
      window.removeEventListener("resize", closeOnResize);
    };
  });

  const onKeyDown = (event: React.KeyboardEvent) => {
    const all = [...menu.current!.querySelectorAll<HTMLElement>("[role=menuitem]")];
    const index = all.indexOf(document.activeElement as HTMLElement);
    const moves: Record<string, number> = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: all.length - 1 };
    const next = moves[event.key];
    if (next !== undefined) all.at(next % all.length)?.focus();
    else if (event.key === "Escape") onClose(false);
    else if (event.key === "Tab") return onClose(false);
    else if (/^\p{L}$/u.test(event.key)) {
      const letter = event.key.toLowerCase();
      const after = [...all.slice(index + 1), ...all.slice(0, index + 1)];
      after.find((item) => item.textContent?.toLowerCase().startsWith(letter))?.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <div ref={menu} className="menu" role="menu" aria-label={label} onKeyDown={onKeyDown}>
      {items.map((item) => (
        <button
          key={item.label}
          type="button"
          role="menuitem"
          tabIndex={-1}
          className={item.isDangerous ? "is-dangerous" : ""}
          onClick={() => {
            onClose(false);
            item.run();
          }}
        >
          <Icon name={item.icon} />
          {item.label}
        </button>
      ))}
    </div>
  );
}
