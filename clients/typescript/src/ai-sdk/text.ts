/** What to do with text that no database can hold: NUL and lone surrogates. */
export type InvalidText = "replace" | "refuse";

/** A text has NUL or a lone surrogate, and the option `invalidText` is `refuse`. */
export class InvalidTextError extends Error {
  override name = "InvalidTextError";
}

// With the flag u, only surrogates without a partner match.
const INVALID = /[\0\p{Surrogate}]/gu;

/** The same JSON value as it is stored: without `undefined`, and with U+FFFD for NUL and lone surrogates. */
export function storable<T>(value: T, invalidText: InvalidText = "replace"): T {
  return clean(JSON.parse(JSON.stringify(value)), invalidText, "") as T;
}

function clean(value: unknown, invalidText: InvalidText, path: string): unknown {
  if (typeof value === "string") return cleanText(value, invalidText, path);
  if (Array.isArray(value)) return value.map((item, at) => clean(item, invalidText, `${path}[${at}]`));
  if (typeof value !== "object" || value === null) return value;
  const entry = ([key, item]: [string, unknown]) => {
    const place = path ? `${path}.${key}` : key;
    return [cleanText(key, invalidText, place), clean(item, invalidText, place)] as const;
  };
  return Object.fromEntries(Object.entries(value).map(entry));
}

function cleanText(text: string, invalidText: InvalidText, path: string): string {
  const cleaned = text.replace(INVALID, "\uFFFD");
  if (cleaned !== text && invalidText === "refuse") {
    throw new InvalidTextError(`${path || "text"} contains NUL or a lone surrogate`);
  }
  return cleaned;
}
