// The chat's own server: who may do what, and what it gives away.

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { request } from "node:http";
import { chatUrl, post, run, startChat, step } from "./common.mjs";

const PAGE = new URL("../dist/page/", import.meta.url);
const CREATE = `mutation {
  createConversation(input: { messages: [{ role: USER, content: "Hello" }] }) { conversation { id messages { nodes { id } } } }
}`;

async function call(method, path, { cookie, body, type = "application/json" } = {}) {
  const headers = { ...(cookie && { Cookie: cookie }), ...(body && { "Content-Type": type }) };
  const response = await fetch(chatUrl + path, { method, headers, body: body && JSON.stringify(body) });
  const isJson = response.headers.get("content-type") === "application/json";
  return { status: response.status, headers: response.headers, body: isJson ? await response.json() : await response.text() };
}

/** The cookie of a user. */
async function signIn(name) {
  const { status, headers } = await call("POST", "/api/sign-in", { body: { name } });
  assert.equal(status, 200);
  const header = headers.get("set-cookie");
  assert.match(header, /; HttpOnly; SameSite=Strict;/);
  return header.split(";")[0];
}

/** A path as it is, which `fetch` would clean. */
const raw = (path) =>
  new Promise((resolve, reject) => {
    request(chatUrl, { path }, async (response) => {
      let text = "";
      for await (const chunk of response) text += chunk;
      resolve(text);
    }).on("error", reject).end();
  });

await run("server", async () => {
  await startChat(1);

  step("a session is a cookie that nobody can make");
  const cookie = await signIn("ada");
  assert.equal((await call("GET", "/api/session", { cookie })).body.user, "ada");
  const [content, signature] = cookie.split("=")[1].split(".");
  const eve = Buffer.from(JSON.stringify(["eve", Date.now() + 1e9])).toString("base64url");
  const old = Buffer.from(JSON.stringify(["ada", 1])).toString("base64url");
  for (const forged of [`${eve}.${signature}`, `${old}.${signature}`, `${content}.`, content, "", "."]) {
    assert.deepEqual((await call("GET", "/api/session", { cookie: `chat_session=${forged}` })).body, {});
  }
  assert.match((await call("POST", "/api/sign-out", { body: {} })).headers.get("set-cookie"), /chat_session=; .*Max-Age=0/);

  step("names and bodies are checked");
  for (const name of ["", "two words", "x".repeat(65), 7, undefined, "a/b"]) {
    assert.equal((await call("POST", "/api/sign-in", { body: { name } })).status, 400);
  }
  assert.equal((await call("POST", "/api/sign-in", { body: { name: "ada" }, type: "text/plain" })).status, 415);
  assert.equal((await call("POST", "/api/sign-in", { body: { name: "a".repeat(20_000) } })).status, 413);
  assert.equal((await call("GET", "/api/nothing")).status, 404);
  assert.equal((await call("PUT", "/", { body: {} })).status, 405);

  step("an answer needs a session, and a question of its user");
  const { conversation } = (await post(CREATE)).createConversation;
  const question = { conversationId: conversation.id, questionId: conversation.messages.nodes[0].id };
  assert.equal((await call("POST", "/api/answers", { body: question })).status, 401);
  assert.equal((await call("POST", "/api/answers", { body: question, cookie: await signIn("eve") })).status, 404);
  assert.equal((await call("POST", "/api/answers", { body: { ...question, answerId: 1 }, cookie })).status, 400);
  const other = { ...question, conversationId: question.questionId };
  assert.equal((await call("POST", "/api/answers", { body: other, cookie })).status, 404);

  step("a question is answered once, however often it is asked for");
  const answers = await Promise.all(Array.from({ length: 5 }, () => call("POST", "/api/answers", { body: question, cookie })));
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([202]));
  assert.equal(new Set(answers.map(({ body }) => body.id)).size, 1);
  const { siblings } = (await post("query ($id: ID!) { node(id: $id) { ... on Message { siblings { id } } } }", { id: answers[0].body.id })).node ?? { siblings: [0] };
  assert.equal(siblings.length, 1);

  step("the page has a policy, and no secret; nothing else can be read");
  const page = await call("GET", "/c/anything");
  assert.equal(page.status, 200);
  assert.match(page.headers.get("content-security-policy"), /^default-src 'self'; .*frame-ancestors 'none'/);
  for (const path of ["/../server/main.js", "/..%2fserver/main.js", "//../../package.json", "/assets/../../server/main.js"]) {
    assert.equal(await raw(path), page.body, path);
  }
  for (const file of await readdir(PAGE, { recursive: true })) {
    const text = await readFile(new URL(file, PAGE), "utf8").catch(() => "");
    assert.ok(!text.includes(process.env.CHAT_SCROLLBACK_SECRET) && !text.includes("scrollback:act-as"), file);
  }
});
