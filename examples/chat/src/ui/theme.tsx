import { useState } from "react";
import { IconButton, type IconName } from "./icons.js";

const THEMES = ["system", "light", "dark"] as const;
type Theme = (typeof THEMES)[number];
const ICONS: Record<Theme, IconName> = { system: "system", light: "sun", dark: "moon" };
const KEY = "chat-theme";

function storedTheme(): Theme {
  const theme = localStorage.getItem(KEY);
  return THEMES.find((one) => one === theme) ?? "system";
}

/** Sets the colours: those of the system, or those that were chosen. */
export function applyTheme(theme: Theme = storedTheme()): void {
  if (theme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
}

/** Switches between the colours of the system, light and dark ones. */
export function ThemeSwitch() {
  const [theme, setTheme] = useState(storedTheme);
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]!;
  const choose = () => {
    localStorage.setItem(KEY, next);
    applyTheme(next);
    setTheme(next);
  };
  return <IconButton icon={ICONS[theme]} label={`Theme: ${theme}. Switch to ${next}`} onClick={choose} />;
}
