// Whether a document and its variables are valid, and what its literals mean: the server and graphql-js agree on
// thousands of random documents, valid ones and such with faults.
//
// DOCUMENTS says how many, SEED which ones. More than the suite runs, against a server of your own with
// `limits.cost`, `limits.aliases` and `limits.depth` raised:
// SCROLLBACK_URL=… SCROLLBACK_TOKEN=… DOCUMENTS=100000 SEED=1 TIMEOUT_MS=600000 node tests/clients/validation.mjs

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import {
  buildSchema, getNamedType, getVariableValues, isInputObjectType, isNonNullType, parse, specifiedRules, TypeInfo,
  validate, valueFromASTUntyped, visit, visitWithTypeInfo, GraphQLError, Kind, typeFromAST, isListType, isEnumType,
  isObjectType, isInterfaceType, GraphQLNonNull, GraphQLString, OverlappingFieldsCanBeMergedRule, validateSchema,
} from "graphql";
import { authorization, httpUrl, nowhere, run, step } from "./common.mjs";
import { Generator, KINDS, Random, withFault } from "./documents.mjs";

const COUNT = Number(process.env.DOCUMENTS ?? 4000);
const SEED = Number(process.env.SEED ?? 20261127);
const folder = new URL(".", import.meta.url);
const schema = buildSchema(readFileSync(new URL("../../schema.graphql", folder), "utf8"));

/**
 * §5.8.5: a field of a OneOf input object takes no variable of a nullable type. graphql-js 16 has this rule but
 * does not apply it where the object's own type is non-null.
 */
function oneOfVariables(context) {
  let nullable = new Set();
  const info = new TypeInfo(schema);
  return {
    OperationDefinition(operation) {
      nullable = new Set(operation.variableDefinitions
        .filter((variable) => variable.type.kind !== Kind.NON_NULL_TYPE)
        .map((variable) => variable.variable.name.value));
      const look = visitWithTypeInfo(info, {
        ObjectValue(object) {
          const type = getNamedType(info.getInputType());
          if (!isInputObjectType(type) || !type.isOneOf) return;
          for (const { value } of object.fields) {
            if (value.kind === Kind.VARIABLE && nullable.has(value.name.value)) {
              context.reportError(new GraphQLError("a nullable variable is a field of a OneOf input object"));
            }
          }
        },
      });
      visit(operation, look);
      for (const fragment of context.getRecursivelyReferencedFragments(operation)) visit(fragment, look);
    },
  };
}

/** §5.2.4.1: no @skip and no @include at the root of a subscription. graphql-js 16 allows them with a literal. */
function conditionsAtSubscriptionRoots(context) {
  return {
    OperationDefinition({ operation, selectionSet }) {
      if (operation !== "subscription") return;
      const seen = new Set();
      const look = (set) => {
        for (const selection of set.selections) {
          if (selection.directives.some((directive) => ["skip", "include"].includes(directive.name.value))) {
            context.reportError(new GraphQLError("a condition at the root of a subscription"));
          }
          if (selection.kind === Kind.INLINE_FRAGMENT) look(selection.selectionSet);
          if (selection.kind !== Kind.FRAGMENT_SPREAD || seen.has(selection.name.value)) continue;
          seen.add(selection.name.value);
          const fragment = context.getFragment(selection.name.value);
          if (fragment) look(fragment.selectionSet);
        }
      };
      look(selectionSet);
    },
  };
}

const RULES = [...specifiedRules, oneOfVariables, conditionsAtSubscriptionRoots];

/**
 * The schema with `__typename` among the fields of its types: graphql-js 16 does not look at the type of this field
 * where it asks whether fields of different objects have the same shape (§5.3.2).
 */
const withTypename = buildSchema(readFileSync(new URL("../../schema.graphql", folder), "utf8"));
// Checked before the field is added, which no schema may declare.
assert.equal(validateSchema(withTypename).length, 0);
for (const type of Object.values(withTypename.getTypeMap())) {
  // Those of the introspection are the same objects in every schema.
  if (!type.name.startsWith("__") && (isObjectType(type) || isInterfaceType(type))) {
    type.getFields().__typename = { name: "__typename", args: [], extensions: {}, type: new GraphQLNonNull(GraphQLString) };
  }
}

/** "parse", "invalid" or "valid". */
function judge(text) {
  let document;
  try {
    document = parse(text);
  } catch {
    return ["parse"];
  }
  let errors;
  try {
    errors = validate(schema, document, RULES);
    if (errors.length === 0) errors = validate(withTypename, document, [OverlappingFieldsCanBeMergedRule]);
  } catch (error) {
    // graphql-js fails on a condition that is no Boolean while it looks for a subscription's root fields.
    return ["invalid", error.message];
  }
  if (errors.length > 0) return ["invalid", errors[0].message];
  return hasRootFieldTwice(document) ? ["invalid", "a root field of a subscription is selected twice"] : ["valid", document];
}

/**
 * Whether a subscription selects its root field more than once, under one name. The specification merges them;
 * Scrollback refuses them as several root fields, which nobody writes on purpose.
 */
function hasRootFieldTwice(document) {
  const fragments = Object.fromEntries(document.definitions.filter((it) => it.kind === Kind.FRAGMENT_DEFINITION).map((it) => [it.name.value, it]));
  const count = (set) => set.selections.reduce((sum, it) => sum + (it.kind === Kind.FIELD ? 1 : count((it.kind === Kind.INLINE_FRAGMENT ? it : fragments[it.name.value]).selectionSet)), 0);
  return document.definitions.some((it) => it.operation === "subscription" && count(it.selectionSet) > 1);
}

async function ask(query, variables, operationName) {
  const response = await fetch(httpUrl, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...authorization },
    body: JSON.stringify({ query, variables, operationName }),
  });
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${query}\n${JSON.stringify(variables)}\nis answered ${text}`, { cause: error });
  }
}

function verdict({ errors }) {
  const codes = new Set((errors ?? []).map((error) => error.extensions?.code));
  if (codes.has("QUERY_TOO_COMPLEX")) return "limit";
  if (codes.has("GRAPHQL_PARSE_FAILED")) return "parse";
  if (codes.has("GRAPHQL_VALIDATION_FAILED")) {
    for (const error of errors) assert.equal(error.extensions.code, "GRAPHQL_VALIDATION_FAILED");
    return "invalid";
  }
  return "valid";
}

/** A value for a variable: usually one that fits its type. */
function variable(random, type, depth = 0) {
  if (random.chance(0.06)) return random.of([null, 1, 1.5, "x", true, [], {}, 3000000000, "USER", { nope: 1 }]);
  if (isNonNullType(type)) return variable(random, type.ofType, depth + 0.01);
  if (depth % 1 === 0 && random.chance(0.1)) return null;
  if (isListType(type)) {
    if (random.chance(0.2)) return variable(random, type.ofType, depth);
    return Array.from({ length: random.below(3) }, () => variable(random, type.ofType, depth + 1));
  }
  if (isEnumType(type)) return random.of(type.getValues()).name;
  if (isInputObjectType(type)) {
    const all = Object.values(type.getFields());
    const fields = type.isOneOf ? [random.of(all)] : all.filter((field) => isNonNullType(field.type) || random.chance(0.3));
    return Object.fromEntries(fields.map((field) => [field.name, variable(random, field.type, depth + 1)]));
  }
  switch (type.name) {
    case "Int": return random.of([0, 1, 5, -1, 2147483647]);
    case "Boolean": return random.chance(0.5);
    case "ID": return random.of(["00000000-0000-7000-8000-000000000000", 7, "x"]);
    case "DateTime": return "2026-11-21T09:30:00Z";
    case "JSON": return random.of([null, 1, "x", [1, { a: null }], {}]);
    default: return random.of(["", "a", "é😀"]);
  }
}

/** Whether a value holds a text for a DateTime that is none: graphql-js knows nothing of this scalar's rule. */
function hasOddDate(type, value) {
  if (value === null || value === undefined) return false;
  if (isNonNullType(type)) return hasOddDate(type.ofType, value);
  if (isListType(type)) return [value].flat().some((item) => hasOddDate(type.ofType, item));
  if (isInputObjectType(type) && typeof value === "object") {
    return Object.values(type.getFields()).some((field) => hasOddDate(field.type, value[field.name]));
  }
  return type.name === "DateTime" && value !== "2026-11-21T09:30:00Z";
}

const counts = { valid: 0, invalid: 0, parse: 0, limit: 0, variablesRefused: 0, variablesTaken: 0 };

async function compare(number) {
  const random = new Random(SEED + number);
  const generator = new Generator(schema, random);
  const valid = generator.document();
  const kind = KINDS[number % KINDS.length];
  const isMutated = number % 3 !== 0;
  const text = isMutated ? withFault(random, valid, kind) : valid;
  const [expected, found] = judge(text);
  const where = `document ${number} (${isMutated ? kind : "generated"}): ${text}\n${found?.kind ? "" : found ?? ""}`;
  if (!isMutated) assert.equal(expected, "valid", `the generator wrote ${where}`);
  let variables;
  let operation;
  if (expected === "valid") {
    operation = found.definitions.find((definition) => definition.kind === Kind.OPERATION_DEFINITION);
    variables = {};
    for (const definition of operation.variableDefinitions ?? []) {
      const type = typeFromAST(schema, definition.type);
      if (random.chance(0.9)) variables[definition.variable.name.value] = variable(random, type);
    }
  }
  const answer = await ask(text, variables, operation?.name?.value);
  const actual = verdict(answer);
  counts[actual] += 1;
  if (actual === "limit") return;
  assert.equal(actual, expected, `${where}\nthe server says ${JSON.stringify(answer)}`);
  if (expected !== "valid" || operation.operation === "subscription") return;

  const odd = operation.variableDefinitions?.some((definition) =>
    hasOddDate(typeFromAST(schema, definition.type), variables[definition.variable.name.value]));
  if (odd) return;
  const coerced = getVariableValues(schema, operation.variableDefinitions ?? [], variables);
  const told = `${where}\nvariables ${JSON.stringify(variables)}: ${coerced.errors?.[0]?.message}\nthe server says ${JSON.stringify(answer)}`;
  if (coerced.errors) {
    counts.variablesRefused += 1;
    assert.equal("data" in answer, false, told);
    assert.equal(answer.errors[0].extensions.code, "BAD_USER_INPUT", told);
  } else if (!isNullCondition(found, coerced.coerced)) {
    counts.variablesTaken += 1;
    assert.ok("data" in answer, told);
  } else {
    assert.equal(answer.errors?.[0].extensions.code, "BAD_USER_INPUT", told);
  }
}

/** Whether a condition of `@include` or `@skip` is null, which graphql-js refuses while it executes. */
function isNullCondition(document, coerced) {
  let is = false;
  visit(document, {
    Directive(node) {
      const given = node.arguments.find((argument) => argument.name.value === "if")?.value;
      is ||= given?.kind === Kind.VARIABLE && coerced[given.name.value] === null;
    },
  });
  return is;
}

/** Literals as fields return them: a title, and the caller's own data. */
async function literals() {
  const texts = [
    '""', '"a"', '"\\u{E9}"', '"\\u{1F600}"', '"\\uD83D\\uDE00"', '"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"""a\\"""b"""',
    '"""\r\n  x\r\n    y\r\n"""', '"""\n\n   one\n     two\n\n"""', '"""  first\n   second"""', '"""\\n"""', '"""\t tab"""',
    '"""""" ', '"🙂 é"', '"""\n  a\r  b\n"""',
  ];
  for (const text of texts) {
    const query = `mutation { createConversation(input: { title: ${text} }) { conversation { title } } }`;
    const { data } = await ask(query);
    const expected = parse(query).definitions[0].selectionSet.selections[0].arguments[0].value.fields[0].value.value;
    assert.equal(data?.createConversation.conversation.title, expected, text);
  }
  const values = [
    "{}", "{ a: 1, b: -7, c: 1.5, d: 2e3, e: -1.25E-2 }", "{ a: null, b: true, c: false }", "{ a: [], b: [1, [2, {}]] }",
    '{ a: "x", b: """y""", c: ENUM }', "{ a: { b: { c: { d: [{ e: null }] } } } }", "{ a: 2147483648, b: 9007199254740991 }",
    '{ __proto: 1, on: 2, type: "t", _: [null] }',
  ];
  for (const text of values) {
    const query = `mutation { createConversation(input: { metadata: ${text} }) { conversation { metadata } } }`;
    const { data } = await ask(query);
    const literal = parse(query).definitions[0].selectionSet.selections[0].arguments[0].value.fields[0].value;
    const expected = JSON.parse(JSON.stringify(valueFromASTUntyped(literal)));
    assert.deepEqual(data?.createConversation.conversation.metadata, expected, text);
  }
  // A single value is a list of one; an absent variable takes its default, null does not.
  const length = async (query, variables) => (await ask(query, variables)).data?.nodes.length;
  const one = `"${nowhere}"`;
  assert.equal(await length(`{ nodes(ids: ${one}) { id } }`), 1);
  assert.equal(await length(`query($i: [ID!]! = [${one}, ${one}]) { nodes(ids: $i) { id } }`), 2);
  assert.equal(await length(`query($i: [ID!]! = [${one}, ${one}]) { nodes(ids: $i) { id } }`, { i: nowhere }), 1);
  assert.equal(await length("query($a: ID!) { nodes(ids: [$a, $a]) { id } }", { a: nowhere }), 2);
}

await run("validation", async () => {
  step("compare the documents");
  let next = 0;
  const failures = [];
  const worker = async () => {
    while (next < COUNT && failures.length < 10) {
      const number = next++;
      await compare(number).catch((error) => failures.push(error.message));
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  assert.equal(failures.length, 0, failures.join("\n\n"));
  console.log(JSON.stringify(counts));
  for (const kind of ["valid", "invalid", "parse", "variablesRefused", "variablesTaken"]) {
    assert.ok(counts[kind] > COUNT / 100, `there are ${kind} ones`);
  }
  assert.ok(counts.limit < COUNT / 10, "few are over a limit");
  step("compare the values of literals");
  await literals();
});
