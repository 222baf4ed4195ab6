// Exports of UIMessages: the AI SDK finds each of them valid, whatever their parts say.

import assert from "node:assert/strict";
import { convertToModelMessages, validateUIMessages } from "ai";
import { authorization, post, run, step, url } from "./common.mjs";
import { toScrollback } from "../../clients/typescript/dist/ai-sdk/index.js";

const CREATE = `mutation ($input: CreateConversationInput!) { createConversation(input: $input) { conversation { id } } }`;

async function exported() {
  const response = await fetch(`${url}/v1/export?format=uimessage`, { headers: authorization });
  assert.equal(response.status, 200);
  return (await response.text()).split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

const tool = { toolCallId: "1", toolName: "search" };
const states = ["INPUT_STREAMING", "INPUT_AVAILABLE", "APPROVAL_REQUESTED", "OUTPUT_AVAILABLE", "OUTPUT_ERROR", "OUTPUT_DENIED"];
// All that a state does not have is there, too, and each without anything.
const tools = states.flatMap((state) => [
  { tool: { ...tool, state } },
  { tool: { ...tool, state, input: { q: 1 }, output: [null], errorText: "none" } },
  { tool: { ...tool, state, input: null, output: null } },
]);
const PARTS = [
  { text: { text: "" } },
  { text: { text: "text" } },
  { reasoning: { text: "because" } },
  { file: { mediaType: "image/png", url: "data:image/png;base64,iVBORw0KGgo=" } },
  { file: { mediaType: "text/plain", filename: "a.txt", url: `data:text/plain,${"a".repeat(10_000)}` } },
  { sourceUrl: { sourceId: "1", url: "https://example.org/" } },
  { sourceUrl: { sourceId: "1", url: "https://example.org/", title: "title" } },
  { sourceDocument: { sourceId: "2", mediaType: "application/pdf" } },
  { sourceDocument: { sourceId: "2", mediaType: "application/pdf", title: "title", filename: "a.pdf" } },
  { data: { name: "weather", data: 1 } },
  { data: { name: "step-start", data: { type: "step-start" } } },
  { data: { name: "step-start", data: { type: "text" } } },
  { data: { name: "text", data: { type: "text" } } },
  { data: { name: "ui-message", data: { role: 1, parts: { 0: { type: 1 } } } } },
  ...tools,
];

run("exports", async () => {
  step("every part of every role");
  const roles = ["USER", "ASSISTANT", "SYSTEM", "TOOL"];
  const messages = roles.map((role) => ({ role, parts: PARTS, metadata: { role } }));
  messages.push({ role: "USER", content: "a text" });
  await post(CREATE, { input: { title: "parts", metadata: { a: [1] }, messages } });
  const [conversation] = await exported();
  assert.equal(conversation.title, "parts");
  assert.deepEqual(conversation.metadata, { a: [1] });
  assert.match(conversation.createdAt, /^\d{4}-/);
  const valid = await validateUIMessages({ messages: conversation.messages });
  assert.deepEqual(valid.map(({ role }) => role), ["user", "assistant", "system", "assistant", "user"]);
  for (const message of valid.slice(0, 4)) {
    assert.equal(message.parts.length, PARTS.length);
    const types = message.parts.map(({ type }) => type);
    assert.deepEqual(types.slice(0, 5), ["text", "text", "reasoning", "file", "file"]);
    assert.deepEqual(types.slice(9, 14), ["data-weather", "step-start", "data-step-start", "data-text", "data-ui-message"]);
    assert.ok(types.slice(14).every((type) => type === "tool-search"));
  }
  assert.deepEqual(valid[4].parts, [{ type: "text", text: "a text" }]);

  step("what is wrong is found");
  const wrong = structuredClone(conversation.messages);
  delete wrong[1].parts.at(-1).approval;
  await assert.rejects(validateUIMessages({ messages: wrong }));

  step("messages that the AI SDK wrote come back");
  const original = [
    { id: "0197a1b2-0000-7000-8000-000000000001", role: "user", parts: [{ type: "text", text: "What is 2 + 2?" }] },
    {
      id: "0197a1b2-0000-7000-8000-000000000002",
      role: "assistant",
      metadata: { model: "m" },
      parts: [
        { type: "step-start" },
        { type: "reasoning", text: "Use the tool." },
        { type: "tool-add", toolCallId: "c1", state: "output-available", input: { a: 2, b: 2 }, output: 4 },
        { type: "step-start" },
        { type: "text", text: "4" },
      ],
    },
  ];
  const id = "0197a1b2-0000-7000-8000-000000000003";
  const inputs = await Promise.all(original.map((message) => toScrollback(id, message)));
  await post(CREATE, { input: { id, messages: inputs } });
  const { messages: restored } = (await exported())[1];
  const known = restored.map(({ id, role, metadata, parts }) => ({ id, role, ...(metadata && { metadata }), parts }));
  assert.deepEqual(known, original);
  assert.ok((await convertToModelMessages(restored)).length >= 3);
});
