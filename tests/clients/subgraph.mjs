// Scrollback as a subgraph: it is composed with another one, and Apollo's gateway plans queries over both.

import assert from "node:assert/strict";
import { composeServices } from "@apollo/composition";
import { ApolloGateway, RemoteGraphQLDataSource } from "@apollo/gateway";
import { ApolloServer } from "@apollo/server";
import { startStandaloneServer } from "@apollo/server/standalone";
import { parse } from "graphql";
import { authorization, httpUrl, nowhere, post, run, step, token } from "./common.mjs";
import { startProjects, typeDefs } from "./projects.mjs";

const stranger = process.env.STRANGER_TOKEN;

/** The bodies of the requests that a gateway has sent to Scrollback. */
const sent = [];

async function fetcher(url, init) {
  sent.push(JSON.parse(init.body));
  return fetch(url, init);
}

class Scrollback extends RemoteGraphQLDataSource {
  willSendRequest({ request, context }) {
    if (context.authorization) request.http.headers.set("authorization", context.authorization);
  }
}

async function startGateway(supergraphSdl, apq) {
  const buildService = ({ name, url }) =>
    name === "scrollback" ? new Scrollback({ url, apq, fetcher }) : new RemoteGraphQLDataSource({ url });
  const server = new ApolloServer({ gateway: new ApolloGateway({ supergraphSdl, buildService, logger: quiet }) });
  const context = async ({ req }) => ({ authorization: req.headers.authorization });
  return startStandaloneServer(server, { listen: { port: 0, host: "127.0.0.1" }, context });
}

const quiet = { debug() {}, info() {}, warn: console.error, error: console.error };

async function ask(url, query, variables, bearer = token) {
  const headers = { "content-type": "application/json", ...(bearer && { authorization: `Bearer ${bearer}` }) };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify({ query, variables }) });
  return response.json();
}

async function data(url, query, variables) {
  const { data, errors } = await ask(url, query, variables);
  assert.equal(errors, undefined, `${query} answered ${JSON.stringify(errors)}`);
  return data;
}

/** A conversation with a message, and a file. */
async function something(title) {
  const { createConversation, createAttachment } = await post(
    `mutation ($title: String!, $hash: String!) {
      createConversation(input: { title: $title, messages: [{ role: USER, content: $title }] }) {
        conversation { id head { id } }
      }
      createAttachment(input: { filename: "brief.txt", mediaType: "text/plain", byteSize: 5, sha256: $hash }) {
        attachment { id }
      }
    }`,
    { title, hash: "ab".repeat(32) },
  );
  const { id, head } = createConversation.conversation;
  return { conversation: id, message: head.id, attachment: createAttachment.attachment.id };
}

const PROJECTS = `{
  projects {
    nodes {
      name
      conversations { id title projectName messages(last: 1) { nodes { content pinned } } }
      decision { id content conversation { title projectName } }
      brief { id filename }
      lead { id conversationCount }
    }
    pageInfo { hasNextPage }
  }
}`;

await run("subgraph", async () => {
  step("read the schema of the subgraph");
  const { _service } = await post("{ _service { sdl } }");

  step("compose it with another");
  const projects = [];
  const { url: projectsUrl } = await startProjects(projects);
  const composed = composeServices([
    { name: "scrollback", url: httpUrl, typeDefs: parse(_service.sdl) },
    { name: "projects", url: projectsUrl, typeDefs },
  ]);
  assert.equal(composed.errors, undefined, String(composed.errors));
  assert.deepEqual(composed.hints.map(({ message }) => message), []);

  step("start a gateway");
  const { url } = await startGateway(composed.supergraphSdl, false);
  const [first, second] = [await something("First"), await something("Second")];
  projects.push(
    {
      name: "Roof",
      conversations: [second.conversation, nowhere, first.conversation],
      decision: first.message,
      brief: first.attachment,
      lead: "ada",
    },
    { name: "Cellar", conversations: [], decision: nowhere, brief: nowhere, lead: "bob" },
  );

  step("read projects, and what Scrollback knows of them");
  sent.length = 0;
  const { projects: found } = await data(url, PROJECTS);
  const conversation = (id, title) => ({
    id,
    title,
    projectName: "Roof",
    messages: { nodes: [{ content: title, pinned: false }] },
  });
  assert.deepEqual(found.nodes[0], {
    name: "Roof",
    // The second does not exist.
    conversations: [conversation(second.conversation, "Second"), null, conversation(first.conversation, "First")],
    decision: { id: first.message, content: "First", conversation: { title: "First", projectName: "Roof" } },
    brief: { id: first.attachment, filename: "brief.txt" },
    lead: { id: "ada", conversationCount: 2 },
  });
  const unknown = { decision: null, brief: { id: nowhere, filename: null }, lead: null };
  assert.deepEqual(found.nodes[1], { name: "Cellar", conversations: [], ...unknown });

  step("find that the gateway asked for all entities of a kind at once");
  const counts = sent.map(({ variables }) => variables.representations.length);
  assert.deepEqual(counts.sort(), [2, 2, 2, 3], "conversations, messages, attachments, and users");

  step("read Scrollback's own list, with the field of the other subgraph");
  const list = await data(url, "{ conversations { nodes { id title projectName } } }");
  const named = list.conversations.nodes.map(({ title, projectName }) => [title, projectName]);
  assert.deepEqual(named.sort(), [["First", "Roof"], ["Second", "Roof"]]);

  step("change something through the gateway");
  const rename = `mutation ($id: ID!) {
    updateConversation(input: { id: $id, title: "Renamed" }) { conversation { title projectName } }
  }`;
  const { updateConversation } = await data(url, rename, { id: first.conversation });
  assert.deepEqual(updateConversation.conversation, { title: "Renamed", projectName: "Roof" });

  step("read the same as a stranger");
  const foreign = await ask(url, "{ projects { nodes { name conversations { id title } lead { id actor } } } }", {}, stranger);
  assert.equal(foreign.errors, undefined);
  const untold = (id) => ({ id, title: null });
  assert.deepEqual(foreign.data.projects.nodes, [
    {
      name: "Roof",
      conversations: [second.conversation, nowhere, first.conversation].map(untold),
      lead: { id: "ada", actor: null },
    },
    { name: "Cellar", conversations: [], lead: { id: "bob", actor: null } },
  ]);

  step("read without credentials");
  const { errors } = await ask(url, "{ conversations { nodes { id } } }", {}, null);
  const { code, response } = errors[0].extensions;
  assert.equal(code, "UNAUTHENTICATED", JSON.stringify(errors));
  assert.equal(response.body.errors[0].extensions.code, "UNAUTHENTICATED");

  step("make an invalid reference, which does not take the others with it");
  projects[0].conversations.push("no UUID");
  const partly = await ask(url, "{ projects { nodes { conversations { id title } } } }");
  assert.deepEqual(partly.data.projects.nodes[0].conversations.map(({ title }) => title), ["Second", null, "Renamed", null]);
  assert.equal(partly.errors.length, 1);
  assert.equal(partly.errors[0].message, "`representations[3].id` must be a UUID");
  assert.equal(partly.errors[0].extensions.code, "BAD_USER_INPUT");
  projects[0].conversations.pop();

  step("let a gateway send hashes instead of documents");
  const { url: hashing } = await startGateway(composed.supergraphSdl, true);
  const hashed = "query Hashed { conversations(first: 1) { changeCursor } }";
  for (const documents of [[false, true], [false]]) {
    sent.length = 0;
    await data(hashing, hashed);
    assert.deepEqual(sent.map(({ query }) => query !== undefined), documents, "only once, after it was missing");
    assert.ok(sent.every(({ extensions }) => extensions.persistedQuery.version === 1));
  }
});
