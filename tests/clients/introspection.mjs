// Introspection as code generators read it: what it prints is `schema.graphql`.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { buildClientSchema, buildSchema, getIntrospectionQuery, printSchema } from "graphql";
import { post, run, step } from "./common.mjs";

/** Everything that introspection can tell. */
const OPTIONS = {
  descriptions: true,
  specifiedByUrl: true,
  directiveIsRepeatable: true,
  schemaDescription: true,
  inputValueDeprecation: true,
  oneOf: true,
};

await run("introspection", async () => {
  const published = buildSchema(readFileSync(new URL("../../schema.graphql", import.meta.url), "utf8"));

  step("print the schema that introspection describes");
  const data = await post(getIntrospectionQuery(OPTIONS));
  const printed = printSchema(buildClientSchema(data));
  assert.equal(printed, printSchema(published));
  for (const part of ["@oneOf", "@specifiedBy(url:", '"""']) assert.ok(printed.includes(part), part);

  step("find the directives, which are not printed where the specification defines them");
  const directives = data.__schema.directives.map(({ name, args }) => `${name}(${args.map(({ name }) => name)})`);
  assert.deepEqual(directives.sort(), ["deprecated(reason)", "include(if)", "oneOf()", "skip(if)", "specifiedBy(url)"]);
});
