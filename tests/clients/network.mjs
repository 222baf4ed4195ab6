// A network that breaks, and conversations to follow over it.

import assert from "node:assert/strict";
import net from "node:net";
import { post, step, url } from "./common.mjs";

/** Stands before the server, and can cut every connection, refuse new ones, and hold back what comes. */
export class Network {
  refusing = false;
  connections = 0;
  #pairs = new Set();
  #target;
  #listener = net.createServer((client) => this.#carry(client));

  /** In front of the server, or of the one at the URL that a function returns for each connection. */
  constructor(target = () => url) {
    this.#target = target;
  }

  /** Where the server is reached through it, for this protocol. */
  async listen(protocol) {
    await new Promise((resolve) => this.#listener.listen(0, "127.0.0.1", resolve));
    return `${protocol}://127.0.0.1:${this.#listener.address().port}/graphql`;
  }

  #carry(client) {
    if (this.refusing) return client.resetAndDestroy();
    this.connections += 1;
    const { hostname, port } = new URL(this.#target());
    const server = net.connect(Number(port), hostname);
    const pair = { client, server };
    this.#pairs.add(pair);
    for (const [from, to] of [[client, server], [server, client]]) {
      from.on("data", (bytes) => to.write(bytes));
      from.on("error", () => {});
      from.on("close", () => (to.destroy(), this.#pairs.delete(pair)));
    }
  }

  cut() {
    for (const { client, server } of this.#pairs) client.resetAndDestroy(), server.resetAndDestroy();
  }

  hold() {
    for (const { server } of this.#pairs) server.pause();
  }

  release() {
    for (const { server } of this.#pairs) server.resume();
  }
}

export async function create() {
  const query = `mutation {
    createConversation(input: { messages: [{ role: SYSTEM, content: "start" }] }) {
      conversation { id messages { pageInfo { endCursor } } }
    }
  }`;
  const { conversation } = (await post(query)).createConversation;
  return { id: conversation.id, cursor: conversation.messages.pageInfo.endCursor };
}

export async function append(id, content) {
  const query = "mutation ($input: AppendMessageInput!) { appendMessage(input: $input) { message { id position } } }";
  return (await post(query, { input: { conversationId: id, role: "USER", content } })).appendMessage.message;
}

export const remove = (id) =>
  post("mutation ($id: ID!) { deleteConversation(input: { id: $id }) { deletedConversationId } }", { id });

/** What is appended to a conversation; its subscriber must receive all of it. */
export function sending(id, inbox) {
  const sent = [];
  const send = async (content) => sent.push(await append(id, content));
  const received = () => inbox.until((items) => items.length >= sent.length);
  return { sent, send, received };
}

/** Cuts the network again and again while messages are sent; some of the times nobody answers for a while. */
export async function breakOften(network, { send, received }) {
  for (let cut = 1; cut <= 6; cut++) {
    step(`cut the connection, ${cut}`);
    await send("before, received");
    await received();
    await send("before");
    network.refusing = cut % 2 === 0;
    network.cut();
    for (let number = 0; number < 10; number++) await send(`meanwhile ${number}`);
    network.refusing = false;
    for (let number = 0; number < 10; number++) await send(`after ${number}`);
  }
  await received();
  assert.ok(network.connections >= 7, "every cut was followed by a new connection");
}
