// GraphQL over HTTP to the letter: the audits of the package graphql-http, all of which must be ok.

import assert from "node:assert/strict";
import { auditServer } from "graphql-http";
import { authorization, httpUrl, run, step } from "./common.mjs";

/** `fetch` with the token; what an audit sets itself stays. */
function fetchFn(input, init = {}) {
  const headers = new Headers(init.headers);
  for (const [name, value] of Object.entries(authorization)) headers.set(name, value);
  return fetch(input, { ...init, headers });
}

await run("audit", async () => {
  step("run the audits");
  const results = await auditServer({ url: httpUrl, fetchFn });
  const bad = results.filter(({ status }) => status !== "ok");
  for (const { id, name, status, reason } of bad) console.error(`${status} ${id} ${name}: ${reason}`);
  assert.equal(bad.length, 0, "every audit is ok");
  assert.equal(results.length, 61, "all audits ran");
});
