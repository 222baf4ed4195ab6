// Apollo Client's persisted queries: over POST, over GET, and where another client has sent them before.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { ApolloClient, gql, HttpLink, InMemoryCache } from "@apollo/client";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { authorization, httpUrl, run, step } from "./common.mjs";

const sha256 = (text) => createHash("sha256").update(text).digest("hex");

/** A client of its own, and what it sent. */
function connect(useGETForHashedQueries) {
  const sent = [];
  const recording = async (url, options) => {
    const response = await fetch(url, options);
    const hasText = options.method === "GET" ? new URL(url).searchParams.has("query") : "query" in JSON.parse(options.body);
    sent.push({ method: options.method, hasText, status: response.status });
    return response;
  };
  const link = new PersistedQueryLink({ sha256, useGETForHashedQueries })
    .concat(new HttpLink({ uri: httpUrl, headers: authorization, fetch: recording }));
  const client = new ApolloClient({ link, cache: new InMemoryCache(), defaultOptions: { query: { fetchPolicy: "no-cache" } } });
  return { client, sent };
}

const texts = ({ sent }) => sent.map(({ method, hasText }) => `${method} ${hasText ? "text" : "hash"}`);

await run("persisted", async () => {
  const query = gql`query Who { viewer { id __typename } }`;
  const first = connect(false);

  step("the first time it is sent after all");
  assert.equal((await first.client.query({ query })).data.viewer.id, "ada");
  assert.deepEqual(texts(first), ["POST hash", "POST text"]);

  step("then its hash is enough, for others too");
  assert.equal((await first.client.query({ query })).data.viewer.id, "ada");
  const second = connect(false);
  assert.equal((await second.client.query({ query })).data.viewer.id, "ada");
  assert.deepEqual(texts(first).slice(2), ["POST hash"]);
  assert.deepEqual(texts(second), ["POST hash"]);

  step("by GET");
  const third = connect(true);
  assert.equal((await third.client.query({ query })).data.viewer.id, "ada");
  assert.deepEqual(texts(third), ["GET hash"]);

  step("with variables, and a mutation");
  const mutation = gql`mutation Create($input: CreateConversationInput!) { createConversation(input: $input) { conversation { id title } } }`;
  for (const title of ["one", "two"]) {
    const { data } = await third.client.mutate({ mutation, variables: { input: { title } } });
    assert.equal(data.createConversation.conversation.title, title);
  }
  assert.deepEqual(texts(third).slice(1), ["POST hash", "POST text", "POST hash"]);
});
