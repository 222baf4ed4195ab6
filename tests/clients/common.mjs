// What the scripts share: where the server is, plain requests, waiting, and the overall timeout.

import assert from "node:assert/strict";

const TIMEOUT_MS = Number(process.env.TIMEOUT_MS ?? 180_000);

let at = "start";

export const url = required("SCROLLBACK_URL").replace(/\/$/, "");
export const token = required("SCROLLBACK_TOKEN");
export const authorization = { Authorization: `Bearer ${token}` };
export const httpUrl = `${url}/graphql`;
export const wsUrl = httpUrl.replace(/^http/, "ws");

function required(name) {
  const value = process.env[name];
  if (!value) fail(`${name} is not set`);
  return value;
}

function fail(message) {
  console.error(message);
  process.exit(1);
}

/** Runs a script's body to its end; a failure, or more than three minutes, ends the process with 1. */
export async function run(name, body) {
  const timer = setTimeout(() => fail(`${name}: not done after ${TIMEOUT_MS / 1000} s, at: ${at}`), TIMEOUT_MS);
  try {
    await body();
  } catch (error) {
    fail(`${name}: failed at: ${at}\n${error?.stack ?? error}${error?.cause ? `\n${error.cause.stack}` : ""}`);
  }
  clearTimeout(timer);
  console.log(`${name}: ok`);
  process.exit(0);
}

/** Names what is being checked from here on, for the message of a failure. */
export function step(description) {
  at = description;
}

/** The data of a query by plain `fetch`, without any client. */
export async function post(query, variables) {
  const response = await fetch(httpUrl, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...authorization },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined, `${query} answered ${JSON.stringify(errors)}`);
  return data;
}

/** An id that nobody has. */
export const nowhere = "00000000-0000-7000-8000-000000000000";

/** Values that arrive over time. */
export class Inbox {
  items = [];
  #fault;
  #wake = () => {};

  push(item) {
    this.items.push(item);
    this.#wake();
  }

  fail(error) {
    this.#fault = error;
    this.#wake();
  }

  /** Waits until `enough` holds for what has arrived, and answers all of it. */
  async until(enough) {
    while (!this.#fault && !enough(this.items)) await new Promise((resolve) => (this.#wake = resolve));
    if (this.#fault) throw this.#fault;
    return [...this.items];
  }
}

/**
 * Appends until the first message arrives, so that a subscription is known to be live.
 *
 * The protocol does not acknowledge a subscription, and one without a cursor starts when the server
 * gets to it. A message that came before that is not lost to anybody: it is in the history.
 */
export async function untilLive(inbox, append) {
  const arrived = inbox.until((items) => items.length > 0);
  for (let attempt = 1; attempt <= 100; attempt++) {
    await append(`probe ${attempt}`);
    if (await Promise.race([arrived.then(() => true), post("{ viewer { id } }").then(() => false)])) return;
  }
  assert.fail("nothing arrived at the subscription after 100 messages");
}

/** The positions of the messages follow one another, without a gap or a repetition. */
export function assertConsecutive(messages) {
  const first = messages[0].position;
  assert.deepEqual(messages.map(({ position }) => position), messages.map((_, index) => first + index));
}
