import { type StoredMessage, type UIMessageLike, fromScrollback, isObject } from "./messages.js";
import { type UIPart, fromParts, toParts } from "./parts.js";
import { type InvalidText, storable } from "./text.js";

/** Whether a stored message is the message of the AI SDK, in its present version. */
export async function isSame(
  stored: StoredMessage,
  message: UIMessageLike,
  invalidText?: InvalidText,
): Promise<boolean> {
  const { id: _, parts, ...fields } = storable(message, invalidText);
  const { id: __, parts: storedParts, ...storedFields } = fromScrollback(stored);
  if (!isDeepEqual(fields, storedFields) || parts.length !== storedParts.length) return false;
  // As they come back: a link to an attachment is the attachment.
  const given = parts.length === 0 ? [] : toParts(parts as UIPart[]).map((part) => fromParts([asStored(part)])[0]);
  for (const [at, part] of given.entries()) {
    if (!(await isSamePart(part!, storedParts[at] as UIPart, stored.parts[at]?.attachment))) return false;
  }
  return true;
}

/** An input as it is returned. */
function asStored(input: Record<string, Record<string, unknown>>) {
  const [[kind, fields]] = Object.entries(input) as [[string, Record<string, unknown>]];
  return { __typename: `${kind[0]!.toUpperCase()}${kind.slice(1)}Part`, ...fields };
}

/** Large files become attachments. They are the same if their bytes are. */
async function isSamePart(part: UIPart, stored: UIPart, attachment: unknown): Promise<boolean> {
  const { url } = part;
  if (typeof url !== "string" || !/^data:/i.test(url) || !isObject(attachment)) return isDeepEqual(part, stored);
  if (!isDeepEqual({ ...part, url: "" }, { ...stored, url: "" })) return false;
  const bytes = await (await fetch(url)).arrayBuffer();
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return attachment.sha256 === Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Whether two JSON values are equal. The order of keys does not count. */
export function isDeepEqual(one: unknown, other: unknown): boolean {
  if (Object.is(one, other) || (one === 0 && other === 0)) return true;
  if (Array.isArray(one)) {
    return Array.isArray(other) && one.length === other.length && one.every((item, at) => isDeepEqual(item, other[at]));
  }
  if (!isObject(one) || !isObject(other)) return false;
  const keys = Object.keys(one);
  const isEqual = (key: string) => Object.hasOwn(other, key) && isDeepEqual(one[key], other[key]);
  return keys.length === Object.keys(other).length && keys.every(isEqual);
}
