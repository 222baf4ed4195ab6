// The outbox: messages that wait while the server is away, across reloads, in order, once.

import assert from "node:assert/strict";
import "fake-indexeddb/auto";
import { createOutbox, indexedDbStorage, memoryStorage, newId, webStorage } from "scrollback-client";
import { Network, append, connect, create, nowhere, run, step } from "./common.mjs";

const quick = { minDelayMs: 10, maxDelayMs: 50 };

/** The `Storage` of a browser. */
class LocalStorage {
  #values = new Map();
  get length() { return this.#values.size; }
  key(index) { return [...this.#values.keys()][index] ?? null; }
  getItem(key) { return this.#values.get(key) ?? null; }
  setItem(key, value) { this.#values.set(key, String(value)); }
  removeItem(key) { this.#values.delete(key); }
}

const local = new LocalStorage();
local.setItem("other", "is not an entry");
const storages = {
  memory: ((memory) => () => memory)(memoryStorage()),
  localStorage: () => webStorage(local, "outbox.ada."),
  IndexedDB: () => indexedDbStorage("outbox.ada"),
};

const contents = async (id) => (await connect().history(id)).nodes.map(({ content }) => content);
const user = (conversationId, content, others = {}) => ({ conversationId, role: "USER", content, ...others });

/** Resolves when the outbox is as expected. */
const until = (outbox, isReady) => new Promise((resolve) => {
  const check = () => isReady(outbox.entries) && (end(), resolve());
  const end = outbox.subscribe(check);
  check();
});

async function survivesReloads(name, storage) {
  const network = new Network();
  const url = await network.listen("http");
  const [one, two] = [await create(), await create()];

  step(`${name}: the server is away`);
  network.refusing = true;
  const before = createOutbox(connect({ url }), { storage: storage(), retry: quick });
  for (let number = 1; number <= 10; number++) {
    await before.append(user(number % 2 ? one.id : two.id, `message ${number}`));
  }
  assert.equal(before.entries.length, 10);
  assert.deepEqual(await contents(one.id), ["start"]);

  step(`${name}: the page is reloaded, and the server comes back`);
  before.close();
  const sent = [];
  const after = createOutbox(connect({ url }), { storage: storage(), retry: quick, onSent: (message) => sent.push(message) });
  await after.loaded;
  assert.equal(after.entries.length, 10, "everything survived");
  assert.deepEqual(after.entries, before.entries);
  network.refusing = false;
  await after.flush();
  assert.deepEqual(await contents(one.id), ["start", ...[1, 3, 5, 7, 9].map((number) => `message ${number}`)]);
  assert.deepEqual(await contents(two.id), ["start", ...[2, 4, 6, 8, 10].map((number) => `message ${number}`)]);
  assert.equal(sent.length, 10);
  assert.ok(sent.every(({ cursor }) => cursor));
  assert.deepEqual(await storage().load(), [], "nothing is left");
  after.close();
}

async function surfacesErrors(storage) {
  const { id } = await create();
  const other = await create();
  const taken = await append(id, "taken");
  const failures = [];
  const options = { storage: storage(), retry: quick, onFailed: (entry, error) => failures.push([entry.message.id, error.code]) };
  const outbox = createOutbox(connect(), options);

  step("a CONFLICT is surfaced once, and holds back its conversation only");
  await outbox.append(user(id, "another content", { id: taken.id }));
  await outbox.append(user(id, "behind it"));
  await outbox.append(user(other.id, "elsewhere"));
  await outbox.flush();
  assert.deepEqual(failures, [[taken.id, "CONFLICT"]]);
  assert.deepEqual(outbox.entries.map(({ message, error }) => [message.content, error?.code]), [
    ["another content", "CONFLICT"],
    ["behind it", undefined],
  ]);
  assert.deepEqual(await contents(other.id), ["start", "elsewhere"]);

  step("it survives a reload, and is not tried again by itself");
  outbox.close();
  const reloaded = createOutbox(connect(), { ...options, storage: storage() });
  await reloaded.flush();
  assert.equal(failures.length, 1);
  await reloaded.retry(taken.id);
  await reloaded.flush();
  assert.deepEqual(failures, [[taken.id, "CONFLICT"], [taken.id, "CONFLICT"]]);

  step("after it is discarded the others follow");
  await reloaded.discard(taken.id);
  await reloaded.flush();
  assert.deepEqual(reloaded.entries, []);
  assert.deepEqual(await contents(id), ["start", "taken", "behind it"]);

  step("a conversation that does not exist, and an invalid message");
  await reloaded.append(user(nowhere, "lost"));
  await reloaded.append(user(id, ""));
  await reloaded.flush();
  assert.deepEqual(failures.slice(2).map(([, code]) => code).sort(), ["BAD_USER_INPUT", "NOT_FOUND"]);
  for (const { message } of reloaded.entries) await reloaded.discard(message.id);
  reloaded.close();
}

async function neverDoubles() {
  step("responses are lost: messages are stored once");
  const { id } = await create();
  let lost = 0;
  const client = connect({
    fetch: async (input, init) => {
      const response = await fetch(input, init);
      if (++lost % 2) throw (await response.text(), new TypeError("the response was lost"));
      return response;
    },
  });
  const outbox = createOutbox(client, { retry: quick });
  for (let number = 1; number <= 5; number++) await outbox.append(user(id, `message ${number}`));
  await outbox.flush();
  assert.deepEqual(await contents(id), ["start", 1, 2, 3, 4, 5].map((item) => (item === "start" ? item : `message ${item}`)));
  outbox.close();

  step("two tabs send the same entries");
  const shared = storages.localStorage;
  const network = new Network();
  const url = await network.listen("http");
  network.refusing = true;
  const first = createOutbox(connect({ url }), { storage: shared(), retry: quick });
  for (let number = 6; number <= 9; number++) await first.append(user(id, `message ${number}`));
  const second = createOutbox(connect({ url }), { storage: shared(), retry: quick });
  await second.loaded;
  network.refusing = false;
  await Promise.all([first.flush(), second.flush()]);
  assert.deepEqual((await contents(id)).slice(1), [1, 2, 3, 4, 5, 6, 7, 8, 9].map((number) => `message ${number}`));
  assert.deepEqual(await shared().load(), []);

  step("a token that cannot be had is no reason to give up");
  let hasToken = false;
  const { token } = await import("./common.mjs");
  const patient = createOutbox(connect({ token: () => (hasToken ? token : "expired") }), { retry: quick });
  const entry = await patient.append(user(id, "message 10", { id: newId() }));
  await until(patient, (entries) => entries.length === 1);
  await append((await create()).id, "time passes");
  assert.equal(patient.entries[0].error, undefined);
  hasToken = true;
  await patient.flush();
  assert.equal((await connect().message(entry.message.id)).content, "message 10");
  for (const outbox of [first, second, patient]) outbox.close();
}

await run("outbox", async () => {
  for (const [name, storage] of Object.entries(storages)) await survivesReloads(name, storage);
  for (const storage of Object.values(storages)) await surfacesErrors(storage);
  await neverDoubles();
});
