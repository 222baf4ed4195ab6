// Messages of the AI SDK: every kind of part in every state, and random ones.

import { randomUUID } from "node:crypto";

/** A generator of random values that can be repeated. */
export function random(seed) {
  let state = seed >>> 0 || 1;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>>= 0) / 2 ** 32;
  };
  const below = (most) => Math.floor(next() * most);
  const pick = (items) => items[below(items.length)];
  return { next, below, pick, chance: (share) => next() < share };
}

const TEXTS = ["", "Hello", "a\n\nb", "三", "👩‍🚀 é", " ", "null", "$1", "\u2028", "x".repeat(300), "__proto__", "\\u0000"];

export const generators = (seed) => {
  const r = random(seed);
  const text = () => r.pick(TEXTS);
  const word = () => r.pick(TEXTS.filter((value) => value.trim() !== ""));
  const json = (depth = 2) => {
    const kind = r.below(depth > 0 ? 7 : 5);
    if (kind === 0) return null;
    if (kind === 1) return r.chance(0.5);
    if (kind === 2) return r.pick([0, -1.5, 1e21, 12345678901, 0.1]);
    if (kind < 5) return text();
    if (kind === 5) return Array.from({ length: r.below(4) }, () => json(depth - 1));
    return object(depth - 1);
  };
  const object = (depth = 1) =>
    Object.fromEntries(Array.from({ length: r.below(4) }, () => [r.pick(["a", "b", "type", "id", "三"]), json(depth)]));
  const maybe = (name, value) => (r.chance(0.5) ? { [name]: value() } : {});
  const metadata = () => maybe("providerMetadata", () => ({ openai: object(), anthropic: { cacheControl: json() } }));
  const url = () => r.pick(["https://example.org/dot.png", "data:image/png;base64,iVBORw0KGgo=", "blob:https://example.org/1"]);
  const citation = () => ({
    source: { type: "source", sourceType: "url", id: "1", url: "https://example.org/", ...maybe("title", text) },
    ...maybe("citedText", text),
  });
  const textPart = () => ({
    type: "text",
    text: text(),
    ...maybe("state", () => r.pick(["streaming", "done"])),
    ...maybe("citations", () => [citation()]),
    ...metadata(),
  });
  const filePart = () => ({
    type: "file",
    mediaType: r.pick(["image/png", "image", "application/pdf"]),
    url: url(),
    ...maybe("filename", text),
    ...maybe("providerReference", () => ({ openai: "file-1" })),
    ...metadata(),
  });
  const approval = (more) => ({
    id: word(),
    ...maybe("descriptor", json),
    ...maybe("requestReason", text),
    ...maybe("isAutomatic", () => r.chance(0.5)),
    ...maybe("signature", text),
    ...maybe("inputSchemaInput", json),
    ...more,
  });
  const toolState = () => {
    const call = { toolCallId: word(), ...maybe("title", text), ...maybe("toolMetadata", object) };
    Object.assign(call, maybe("providerExecuted", () => r.chance(0.5)), maybe("callProviderMetadata", () => ({ x: object() })));
    const result = maybe("resultProviderMetadata", () => ({ x: object() }));
    const granted = maybe("approval", () => approval({ approved: true, ...maybe("reason", text) }));
    return r.pick([
      () => ({ ...call, state: "input-streaming", ...maybe("input", json), ...maybe("rawInput", text), ...maybe("inputEncoding", () => "text") }),
      () => ({ ...call, state: "input-available", input: json() }),
      () => ({ ...call, state: "approval-requested", input: json(), approval: approval() }),
      () => ({ ...call, state: "approval-responded", input: json(), approval: approval({ approved: r.chance(0.5), ...maybe("reason", text) }) }),
      () => ({ ...call, ...result, ...granted, state: "output-available", input: json(), output: json(), ...maybe("preliminary", () => true) }),
      () => ({ ...call, ...result, ...granted, state: "output-error", ...maybe("input", json), errorText: text() }),
      () => ({ ...call, state: "output-denied", input: json(), approval: approval({ approved: false, ...maybe("reason", text) }) }),
    ])();
  };
  const kinds = [
    textPart,
    filePart,
    () => ({ type: "step-start" }),
    () => ({ type: "custom", kind: "openai.compaction", ...metadata() }),
    () => ({ type: "reasoning", text: text(), ...maybe("id", text), ...maybe("state", () => "done"), ...metadata() }),
    () => ({ type: "reasoning-file", mediaType: "image/png", url: url(), ...metadata() }),
    () => ({ type: "source-url", sourceId: text(), url: r.pick(["", url()]), ...maybe("title", text), ...metadata() }),
    () => ({ type: "source-document", sourceId: text(), mediaType: r.pick(["", "text/plain"]), title: text(), ...maybe("filename", text), ...metadata() }),
    () => ({ type: "steering-message", id: word(), parts: [{ type: "text", text: text() }, { type: "file", mediaType: "image/png", url: url() }] }),
    () => ({ type: `data-${r.pick(["weather", "", "text", "三"])}`, data: json(), ...maybe("id", text) }),
    () => ({ type: `tool-${r.pick(["search", "web-search", "三"])}`, ...toolState() }),
    () => ({ type: "dynamic-tool", toolName: word(), ...maybe("dynamic", () => false), ...toolState() }),
  ];
  const id = () => r.pick([randomUUID, randomUUID, () => `msg-${randomUUID()}`, () => randomUUID().toUpperCase()])();
  const message = () => {
    const role = r.pick(["user", "assistant", "assistant", "system"]);
    const of = role === "assistant" ? kinds : role === "user" ? [textPart, filePart, kinds.at(-3)] : [textPart];
    const parts = Array.from({ length: r.below(6) + (role === "assistant" ? 0 : 1) }, () => r.pick(of)());
    const shape = r.pick([() => ({}), () => ({ metadata: json() }), () => ({ metadata: { createdAt: 1, ...object() } })]);
    return { id: id(), role, ...shape(), parts };
  };
  return { r, message, json, kinds };
};

/** One message with each kind of part, in many variants. */
export function everyPart() {
  const parts = [];
  for (let seed = 1; seed <= 12; seed++) for (const kind of generators(seed).kinds) parts.push(kind());
  return { id: "every-part", role: "assistant", parts };
}
