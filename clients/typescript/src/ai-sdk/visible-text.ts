import type { UIMessageChunk } from "ai";
import { storable } from "./text.js";

/**
 * The text that readers see of an answer while it is written: its text parts in their order, joined by blank lines, as
 * in the content of the finished message. It only grows. A part that began while another one is open is shown after that
 * one has ended.
 */
export class VisibleText {
  #parts: { text: string; isOpen: boolean }[] = [];
  #open = new Map<string, { text: string; isOpen: boolean }>();
  #shown = "";

  /** Takes a chunk, and returns the text that was added. */
  add(chunk: UIMessageChunk): string {
    if (chunk.type === "text-start") {
      const part = { text: "", isOpen: true };
      this.#parts.push(part);
      this.#open.set(chunk.id, part);
    } else if (chunk.type === "text-delta") {
      const part = this.#open.get(chunk.id);
      if (part) part.text += chunk.delta;
    } else if (chunk.type === "text-end") {
      const part = this.#open.get(chunk.id);
      if (part) part.isOpen = false;
      this.#open.delete(chunk.id);
    } else if (chunk.type === "reset-step") {
      // What was shown stays. The end of the message replaces it.
      for (const part of this.#open.values()) part.isOpen = false;
      this.#open.clear();
    } else {
      return "";
    }
    return this.#grow();
  }

  #grow(): string {
    const open = this.#parts.findIndex(({ isOpen }) => isOpen);
    const parts = open < 0 ? this.#parts : this.#parts.slice(0, open + 1);
    const texts = parts.map(({ text, isOpen }) => (isOpen ? whole(text) : text)).filter((text) => text !== "");
    const all = storable(texts.join("\n\n"));
    const added = all.slice(this.#shown.length);
    this.#shown = all;
    return added;
  }
}

/** Without the first half of a surrogate pair whose second half has yet to come. */
const whole = (text: string) => text.replace(/[\ud800-\udbff]$/, "");
