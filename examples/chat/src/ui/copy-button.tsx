import { useState } from "react";
import { IconButton } from "./icons.js";

const SHOWN_MS = 1_500;

export function CopyButton({ label, text }: { label: string; text: string }) {
  const [isCopied, setIsCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setIsCopied(true);
    setTimeout(() => setIsCopied(false), SHOWN_MS);
  };
  return (
    <IconButton icon={isCopied ? "check" : "copy"} label={isCopied ? "Copied" : label} onClick={() => void copy().catch(() => {})} />
  );
}
