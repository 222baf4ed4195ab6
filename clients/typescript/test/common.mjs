// What the tests against a server share: clients of this package, over the helpers of all client tests.

import WebSocket from "ws";
import { createClient } from "scrollback-client";
import { webSocket } from "scrollback-client/graphql-ws";
import { httpUrl, token } from "../../../tests/clients/common.mjs";

export * from "../../../tests/clients/common.mjs";
export * from "../../../tests/clients/network.mjs";

/** Short delays, so that tests with many interruptions are quick. */
export const retry = { minDelayMs: 10, maxDelayMs: 100, attempts: 100 };

/** The ways in which a client can follow. */
export const transports = {
  "server-sent events": () => undefined,
  WebSocket: () => webSocket({ webSocketImpl: WebSocket }),
};

/** A client as ada. */
export function connect(options = {}) {
  const { subscriptions, ...others } = options;
  return createClient({ url: httpUrl, token, retry, ...(subscriptions && { subscriptions }), ...others });
}

/** The next `count` items of an iterator. */
export async function take(iterator, count) {
  const items = [];
  while (items.length < count) {
    const { done, value } = await iterator.next();
    if (done) throw new Error(`it ended after ${items.length} of ${count} items`);
    items.push(value);
  }
  return items;
}

/** The error of a promise that must reject. */
export async function failure(promise) {
  const value = await promise.then((value) => ({ value }), (error) => ({ error }));
  if (!("error" in value)) throw new Error(`it did not fail: ${JSON.stringify(value)}`);
  return value.error;
}
