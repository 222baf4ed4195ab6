import type { ReactNode } from "react";

/** A text with marked ranges. Their offsets count Unicode code points. */
export function Highlighted({ text, ranges }: { text: string; ranges: readonly { offset: number; length: number }[] }) {
  const characters = Array.from(text);
  const pieces: ReactNode[] = [];
  let end = 0;
  for (const { offset, length } of ranges) {
    pieces.push(characters.slice(end, offset).join(""));
    end = offset + length;
    pieces.push(<mark key={offset}>{characters.slice(offset, end).join("")}</mark>);
  }
  return (
    <>
      {pieces}
      {characters.slice(end).join("")}
    </>
  );
}
