/**
 * The text as the server can store it: NUL and lone surrogates, which UTF-8 or PostgreSQL cannot hold, become U+FFFD.
 */
export function toStorableText(text: string): string {
  // With the flag `u`, a surrogate matches only where it is alone.
  return text.replace(/[\0\ud800-\udfff]/gu, "\ufffd");
}

/** The number of Unicode code points: the unit of the offsets of streaming messages. */
export function codePointLength(text: string): number {
  let length = 0;
  for (const _ of text) length += 1;
  return length;
}

/** What follows the first `count` code points of a well-formed text. */
export function dropCodePoints(text: string, count: number): string {
  let index = 0;
  for (let dropped = 0; dropped < count && index < text.length; dropped++) {
    index += (text.codePointAt(index) ?? 0) > 0xffff ? 2 : 1;
  }
  return text.slice(index);
}
