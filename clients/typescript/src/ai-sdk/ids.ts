const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Of the names of this adapter. It never changes, because stored ids depend on it. */
const NAMESPACE = Uint8Array.from([
  0x4d, 0x1c, 0x8e, 0x52, 0x0b, 0x7f, 0x4a, 0x39, 0x9e, 0x61, 0x2f, 0xc4, 0x85, 0xd0, 0x73, 0xab,
]);

/** Whether an id of the SDK can be an id of Scrollback as it is. */
export const isUuid = (id: string): boolean => UUID.test(id);

/** The UUID of version 5 for the given names. The same names give the same id, everywhere. */
export async function uuid5(...names: string[]): Promise<string> {
  const text = new TextEncoder().encode(JSON.stringify(names));
  const bytes = new Uint8Array(NAMESPACE.length + text.length);
  bytes.set(NAMESPACE);
  bytes.set(text, NAMESPACE.length);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-1", bytes));
  hash[6] = (hash[6]! & 0x0f) | 0x50;
  hash[8] = (hash[8]! & 0x3f) | 0x80;
  const hex = Array.from(hash.subarray(0, 16), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** The id of the message for an id of the SDK: the same if it is a UUID. */
export async function messageIdOf(conversationId: string, id: string): Promise<string> {
  return isUuid(id) ? id : uuid5("message", conversationId, id);
}
