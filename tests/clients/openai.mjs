// Every item of OpenAI's package for JavaScript goes in and comes out equal, and its calls work unchanged.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import OpenAI from "openai";

const client = new OpenAI({
  baseURL: `${process.env.SCROLLBACK_URL}/v1`,
  apiKey: process.env.SCROLLBACK_TOKEN,
  maxRetries: 0,
});
const items = JSON.parse(readFileSync(new URL("openai_items.json", import.meta.url), "utf8"));
const withoutId = ({ id, ...item }) => item;

const conversation = await client.conversations.create({ metadata: { topic: "moons" }, items: items.slice(0, 20) });
assert.match(conversation.id, /^conv_[0-9a-f]{32}$/);
assert.equal(conversation.object, "conversation");
assert.ok(Math.abs(conversation.created_at - Date.now() / 1000) < 60);
for (let start = 20; start < items.length; start += 20) {
  const page = await client.conversations.items.create(conversation.id, { items: items.slice(start, start + 20) });
  assert.deepEqual([page.first_id, page.last_id, page.has_more], [page.data[0].id, page.data.at(-1).id, false]);
}

const listed = [];
for await (const item of client.conversations.items.list(conversation.id, { order: "asc", limit: 7 })) {
  listed.push(item);
}
assert.deepEqual(listed.map(withoutId), items);
const newest = await client.conversations.items.list(conversation.id, { include: ["reasoning.encrypted_content"] });
assert.deepEqual(newest.data, listed.slice(-20).reverse());
assert.ok(newest.hasNextPage());
for (const item of listed) {
  assert.deepEqual(await client.conversations.items.retrieve(item.id, { conversation_id: conversation.id }), item);
}

const updated = await client.conversations.update(conversation.id, { metadata: { a: "b" } });
assert.deepEqual(updated.metadata, { a: "b" });
assert.deepEqual(await client.conversations.retrieve(conversation.id), updated);
await client.conversations.items.delete(listed[0].id, { conversation_id: conversation.id });
await assert.rejects(
  client.conversations.items.retrieve(listed[0].id, { conversation_id: conversation.id }),
  (error) => error instanceof OpenAI.NotFoundError && error.type === "invalid_request_error",
);
assert.deepEqual(await client.conversations.delete(conversation.id), {
  id: conversation.id,
  object: "conversation.deleted",
  deleted: true,
});
await assert.rejects(client.conversations.retrieve(conversation.id), OpenAI.NotFoundError);
await assert.rejects(client.conversations.items.list(conversation.id), OpenAI.NotFoundError);
assert.equal((await client.conversations.create()).object, "conversation");
