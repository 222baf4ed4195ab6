// A network that breaks, and conversations to follow over it.

import net from "node:net";
import { post, url } from "./common.mjs";

/** Stands before the server, and can cut every connection, refuse new ones, and hold back what comes. */
export class Network {
  refusing = false;
  connections = 0;
  #pairs = new Set();
  #listener = net.createServer((client) => this.#carry(client));

  /** Where the server is reached through it, for this protocol. */
  async listen(protocol) {
    await new Promise((resolve) => this.#listener.listen(0, "127.0.0.1", resolve));
    return `${protocol}://127.0.0.1:${this.#listener.address().port}/graphql`;
  }

  #carry(client) {
    if (this.refusing) return client.resetAndDestroy();
    this.connections += 1;
    const { hostname, port } = new URL(url);
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
