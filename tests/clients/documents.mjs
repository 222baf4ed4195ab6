// Documents for a schema: valid ones at random, and the same with a fault in them. A seed gives the same ones
// again.

import {
  getNamedType, getNullableType, GraphQLNonNull, isEnumType, isInputObjectType, isLeafType, isListType, isNonNullType,
  isUnionType, Kind, parse, print, visit,
} from "graphql";

/** A source of numbers from a seed (mulberry32). */
export class Random {
  constructor(seed) {
    this.state = seed >>> 0;
  }

  next() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  below(count) {
    return Math.floor(this.next() * count);
  }

  of(items) {
    return items[this.below(items.length)];
  }

  chance(probability) {
    return this.next() < probability;
  }
}

const TEXTS = ['"a"', '""', '"\\u{1F600}"', '"\\uD83D\\uDE00"', '"""block \\""" text"""', '"é\\n\\t"', '"ASC"', '"1"'];
const DATES = ['"2026-11-21T09:30:00Z"', '"2026-11-21T09:30:00.123456+02:00"'];
const JSONS = ["null", "1", "-0", "1.5e3", '"x"', "true", "[]", "[1, [2]]", "{ a: 1, b: { c: [null] } }", "{}", "ENUM"];

/** The text of a literal of an input type; `variables` collects those that it may use instead. */
function literal(random, type, variables, depth = 0, inOneOf = false) {
  if (!isNonNullType(type) && random.chance(0.1)) return "null";
  if (variables && random.chance(0.25)) return `$${variables.of(type, !inOneOf)}`;
  const nullable = getNullableType(type);
  if (isListType(nullable)) {
    // A single value stands for a list of it; a variable of its type does not.
    if (random.chance(0.2)) return literal(random, new GraphQLNonNull(getNullableType(nullable.ofType)), null, depth);
    const items = Array.from({ length: random.below(3) }, () => literal(random, nullable.ofType, variables, depth + 1));
    return `[${items.join(", ")}]`;
  }
  if (isEnumType(nullable)) return random.of(nullable.getValues()).name;
  if (isInputObjectType(nullable)) {
    const all = Object.values(nullable.getFields());
    const fields = nullable.isOneOf
      ? [random.of(all)]
      : all.filter((field) => isNonNullType(field.type) || random.chance(depth > 3 ? 0.1 : 0.4));
    const written = fields.map((field) => {
      // That of a OneOf object is neither null nor a variable of a nullable type.
      const type = nullable.isOneOf ? new GraphQLNonNull(getNullableType(field.type)) : field.type;
      return `${field.name}: ${literal(random, type, variables, depth + 1, nullable.isOneOf)}`;
    });
    return `{ ${written.join(", ")} }`;
  }
  switch (nullable.name) {
    case "Int": return String(random.of([0, 1, 2, 3, -1, 2147483647, -2147483648]));
    case "Float": return random.of(["1", "1.5", "-2e3"]);
    case "Boolean": return random.of(["true", "false"]);
    case "ID": return random.of(['"00000000-0000-7000-8000-000000000000"', "7", '"x"']);
    case "DateTime": return random.of(DATES);
    case "JSON": return random.of(isNonNullType(type) ? JSONS.filter((text) => text !== "null") : JSONS);
    default: return random.of(TEXTS);
  }
}

/** The variables that an operation declares while it is written. */
class Variables {
  constructor(random) {
    this.random = random;
    this.declared = [];
  }

  /** The name of a variable that may stand where the type is expected. */
  of(type, mayBeWeaker = true) {
    const known = this.declared.find((variable) => variable.type === String(type));
    if (known && (mayBeWeaker || known.type.endsWith("!")) && this.random.chance(0.5)) return known.name;
    const name = `v${this.declared.length}`;
    const stricter = !isNonNullType(type) && this.random.chance(0.3);
    const named = stricter ? `${type}!` : String(type);
    const hasDefault = this.random.chance(0.3);
    let value = hasDefault ? literal(this.random, type, null) : undefined;
    if (value === "null" && named.endsWith("!")) value = undefined;
    // With a default, a variable of the nullable type may stand there too.
    const weaker = mayBeWeaker && value !== undefined && value !== "null" && named.endsWith("!") && this.random.chance(0.5);
    this.declared.push({ name, type: weaker ? named.slice(0, -1) : named, value });
    return name;
  }

  toString() {
    if (this.declared.length === 0) return "";
    const written = this.declared.map(({ name, type, value }) => `$${name}: ${type}${value === undefined ? "" : ` = ${value}`}`);
    return `(${written.join(", ")})`;
  }
}

/** Writes random valid documents. */
export class Generator {
  constructor(schema, random) {
    this.schema = schema;
    this.random = random;
  }

  /** The text of a valid document. */
  document() {
    const { random, schema } = this;
    const kind = random.of(["query", "query", "query", "mutation", "subscription"]);
    const root = { query: schema.getQueryType(), mutation: schema.getMutationType(), subscription: schema.getSubscriptionType() }[kind];
    this.variables = new Variables(random);
    this.fragments = [];
    this.names = 0;
    const selection = kind === "subscription" ? `{ ${this.field(random.of(Object.values(root.getFields())), 0, false)} }` : this.selection(root, 0);
    const name = random.chance(0.7) || this.variables.declared.length > 0 ? ` Q${this.variables}` : "";
    return `${kind}${name} ${selection} ${this.fragments.join(" ")}`;
  }

  selection(type, depth) {
    const { random } = this;
    const items = [];
    const count = 1 + random.below(depth > 2 ? 2 : 3);
    const fields = isUnionType(type) ? [] : Object.values(type.getFields());
    const shallow = fields.filter((field) => isLeafType(getNamedType(field.type)));
    for (let at = 0; at < count; at += 1) {
      const choice = random.next();
      if (choice < 0.15 || (isUnionType(type) && choice < 0.9)) items.push(this.fragment(type, depth));
      else if (choice < 0.25 || fields.length === 0) items.push(random.chance(0.5) ? "__typename" : `t${this.names++}: __typename${this.directives()}`);
      else items.push(this.field(random.of(depth > 3 && shallow.length > 0 ? shallow : fields), depth, true));
    }
    return `{ ${items.join(" ")} }`;
  }

  field(field, depth, decorated) {
    const type = getNamedType(field.type);
    const given = field.args.filter((arg) => isNonNullType(arg.type) || this.random.chance(0.3));
    const args = given.map((arg) => `${arg.name}: ${literal(this.random, arg.type, this.variables)}`);
    // Aliased wherever it could conflict with another selection of the same field.
    const alias = decorated && (field.args.length > 0 || !isLeafType(type) || this.random.chance(0.2)) ? `f${this.names++}: ` : "";
    const selection = isLeafType(type) ? "" : depth > 5 ? " { __typename }" : ` ${this.selection(type, depth + 1)}`;
    return `${alias || (decorated ? `f${this.names++}: ` : "")}${field.name}${args.length > 0 ? `(${args.join(", ")})` : ""}${decorated ? this.directives() : ""}${selection}`;
  }

  fragment(type, depth) {
    const possible = isLeafType(type) ? [type] : this.conditions(type);
    const on = this.random.of(possible);
    const body = depth > 5 ? "{ __typename }" : this.selection(on, depth + 1);
    if (this.random.chance(0.5)) return `...${on === type && this.random.chance(0.3) ? "" : ` on ${on}`}${this.directives()} ${body}`;
    const name = `F${this.fragments.length}`;
    this.fragments.push("");
    this.fragments[this.fragments.length - 1] = `fragment ${name} on ${on} ${body}`;
    return `...${name}${this.directives()}`;
  }

  /** The types that a fragment within a type may be on. */
  conditions(type) {
    const { schema } = this;
    if (isUnionType(type)) return type.getTypes();
    const abstract = [type, ...(type.getInterfaces?.() ?? [])];
    return "getTypes" in type || schema.getPossibleTypes === undefined || !type.astNode?.kind.startsWith("Interface")
      ? abstract
      : [type, ...schema.getPossibleTypes(type)];
  }

  directives() {
    if (!this.random.chance(0.12)) return "";
    const name = this.random.of(["include", "skip"]);
    const value = this.random.chance(0.5) ? this.random.of(["true", "false"]) : `$${this.variables.of(this.schema.getDirective(name).args[0].type)}`;
    return ` @${name}(if: ${value})`;
  }
}

const VALUES = ["null", "1", "3000000000", "-3000000000", "1.0", '"text"', "true", "ENUM", "DESC", "[1]", '["a"]', "[null]", "{}", "{ a: 1 }", "{ id: 1, id: 2 }", '"\\uD83D"', '"\\u{110000}"', "$v0", "$nope"];
const DIRECTIVES = ["@nope", "@include", "@include(if: true)", "@include(if: true) @include(if: true)", "@skip(if: \"x\")", "@skip(if: null)", "@skip(if: true, if: true)", "@include(if: $nope)", "@skip(unless: true)", "@deprecated", "@oneOf", "@specifiedBy(url: \"a\")"];

/** The node's place among all of one kind that `visit` comes by, replaced by what `replace` returns for it. */
function replaceOne(random, document, kind, replace) {
  let count = 0;
  visit(document, { [kind]: () => void (count += 1) });
  if (count === 0) return null;
  const chosen = random.below(count);
  let at = -1;
  return visit(document, {
    [kind](node) {
      at += 1;
      return at === chosen ? replace(node) : undefined;
    },
  });
}

const value = (text) => parse(`{ a(b: ${text}) }`).definitions[0].selectionSet.selections[0].arguments[0].value;
const directives = (text) => parse(`{ a ${text} }`).definitions[0].selectionSet.selections[0].directives;
const selections = (text) => parse(`{ ${text} }`).definitions[0].selectionSet.selections;
const named = (name) => ({ kind: Kind.NAME, value: name });

/** Each puts a fault of one kind into a document, or gives null where it cannot. */
const FAULTS = {
  field: (random, doc) => replaceOne(random, doc, "Field", (node) => ({ ...node, name: named(random.of(["nope", "id", "title", "content", "nodes", "url", "viewer"])) })),
  argument: (random, doc) => replaceOne(random, doc, "Argument", (node) => ({ ...node, name: named(random.of(["nope", "first", "id", "input", "if"])) })),
  lessArguments: (random, doc) => replaceOne(random, doc, "Argument", () => null),
  twoArguments: (random, doc) => replaceOne(random, doc, "Field", (node) => ({ ...node, arguments: [...node.arguments, ...node.arguments] })),
  value: (random, doc) => replaceOne(random, doc, "Argument", (node) => ({ ...node, value: value(random.of(VALUES)) })),
  inputField: (random, doc) => replaceOne(random, doc, "ObjectField", (node) => ({ ...node, value: value(random.of(VALUES)) })),
  inputName: (random, doc) => replaceOne(random, doc, "ObjectField", (node) => ({ ...node, name: named(random.of(["nope", "id", "title", "role"])) })),
  twoInputs: (random, doc) => replaceOne(random, doc, "ObjectValue", (node) => ({ ...node, fields: [...node.fields, ...node.fields.slice(0, 1)] })),
  noInputs: (random, doc) => replaceOne(random, doc, "ObjectValue", (node) => ({ ...node, fields: node.fields.slice(1) })),
  enumValue: (random, doc) => replaceOne(random, doc, "EnumValue", (node) => random.chance(0.5) ? value(`"${node.value}"`) : value("NOPE")),
  fieldDirective: (random, doc) => replaceOne(random, doc, "Field", (node) => ({ ...node, directives: [...node.directives, ...directives(random.of(DIRECTIVES))] })),
  spreadDirective: (random, doc) => replaceOne(random, doc, random.of(["FragmentSpread", "InlineFragment", "FragmentDefinition", "OperationDefinition", "VariableDefinition"]), (node) => ({ ...node, directives: [...(node.directives ?? []), ...directives(random.of(DIRECTIVES))] })),
  alias: (random, doc) => replaceOne(random, doc, "Field", (node) => ({ ...node, alias: named(random.of(["f0", "f1", "f2", "f3", "same"])) })),
  aliases: (random, doc) => FAULTS.alias(random, FAULTS.alias(random, doc)),
  selectAgain: (random, doc) => replaceOne(random, doc, "SelectionSet", (node) => ({ ...node, selections: [...node.selections, ...selections(random.of(["f0: id", "f1: title", "f2: content", "f1: __typename", "f3: messages(first: 1) { nodes { id } }", "...F0", "x: id ...{ x: id }", "...on Message { f0: position } ...on Conversation { f0: title }"]))] })),
  noVariable: (random, doc) => replaceOne(random, doc, "VariableDefinition", () => null),
  variableType: (random, doc) => replaceOne(random, doc, "VariableDefinition", (node) => ({ ...node, type: parse(`query($a: ${random.of(["Int", "Int!", "String", "ID", "[ID!]", "[ID]", "JSON", "Boolean", "Role", "Nope", "Message", "TextPartInput", "Boolean!"])}) { a }`).definitions[0].variableDefinitions[0].type })),
  variableDefault: (random, doc) => replaceOne(random, doc, "VariableDefinition", (node) => ({ ...node, defaultValue: value(random.of(VALUES.filter((text) => !text.includes("$")))) })),
  noDefault: (random, doc) => replaceOne(random, doc, "VariableDefinition", (node) => ({ ...node, defaultValue: undefined })),
  variableTwice: (random, doc) => replaceOne(random, doc, "OperationDefinition", (node) => ({ ...node, variableDefinitions: [...(node.variableDefinitions ?? []), ...parse("query($v0: Int, $unused: Int) { a }").definitions[0].variableDefinitions] })),
  variableName: (random, doc) => replaceOne(random, doc, "Variable", (node) => ({ ...node, name: named(random.of(["v0", "v1", "nope"])) })),
  spread: (random, doc) => replaceOne(random, doc, "FragmentSpread", (node) => ({ ...node, name: named(random.of(["F0", "F1", "Nope"])) })),
  condition: (random, doc) => replaceOne(random, doc, random.of(["InlineFragment", "FragmentDefinition"]), (node) => ({ ...node, typeCondition: { kind: Kind.NAMED_TYPE, name: named(random.of(["Message", "Conversation", "Query", "Change", "Node", "MessagePart", "Role", "JSON", "Nope", "MessageAdded", "AppendMessageInput"])) } })),
  cycle: (random, doc) => replaceOne(random, doc, "FragmentDefinition", (node) => ({ ...node, selectionSet: { ...node.selectionSet, selections: [...node.selectionSet.selections, ...selections(random.of(["...F0", "...F1"]))] } })),
  noSelection: (random, doc) => replaceOne(random, doc, "Field", (node) => ({ ...node, selectionSet: node.selectionSet ? undefined : { kind: Kind.SELECTION_SET, selections: selections("id") } })),
  moreRoots: (random, doc) => replaceOne(random, doc, "OperationDefinition", (node) => ({ ...node, selectionSet: { ...node.selectionSet, selections: [...node.selectionSet.selections, ...selections(random.of(["__typename", "more: __typename", "changes { cursor }", "__schema { description }", "... { __typename }", "... @include(if: true) { m: __typename }"]))] } })),
  operation: (random, doc) => replaceOne(random, doc, "OperationDefinition", (node) => ({ ...node, operation: random.of(["query", "mutation", "subscription"]) })),
  twoOperations: (random, doc) => ({ ...doc, definitions: [...doc.definitions, ...parse(random.of(["{ viewer { id } }", "query Q { viewer { id } }", "query R { viewer { id } }", "fragment F0 on Viewer { id }", "fragment Unused on Viewer { id }", "type A { a: Int }", "extend type Query { a: Int }"])).definitions] }),
};

/** The names of all kinds of faults; `text` and `token` are faults in the text itself. */
export const KINDS = [...Object.keys(FAULTS), "text", "token"];

const TOKEN = /"(?:[^"\\]|\\.)*"|[_A-Za-z][_0-9A-Za-z]*|-?[0-9][0-9.eE+-]*|\.\.\.|[^\s,]/g;

/** The text with one of its tokens left out, doubled, or exchanged for another of them. */
function withOddToken(random, text) {
  const tokens = [...text.matchAll(TOKEN)];
  const { 0: token, index } = random.of(tokens);
  const instead = random.of(["", `${token} ${token}`, random.of(tokens)[0]]);
  return `${text.slice(0, index)} ${instead} ${text.slice(index + token.length)}`;
}

const PIECES = ["{", "}", "(", ")", "[", "]", ":", "$", "@", "!", "=", "|", "&", "...", "..", "\"", "\"\"\"", "\\", "#", ",", " ", "\n", "0", "01", "1.", ".5", "1e", "-", "é", "\u00a0", "\ufeff", "\u0000", "null", "true", "on", "fragment", "query", "\\u{1F600}", "\\uD83D", "\\x"];

/** The text with one fault of a kind in it; it may happen to be valid all the same. */
export function withFault(random, text, kind) {
  if (kind === "text") {
    const at = random.below(text.length + 1);
    const end = random.chance(0.5) ? at : Math.min(text.length, at + 1 + random.below(3));
    return text.slice(0, at) + (random.chance(0.8) ? random.of(PIECES) : "") + text.slice(end);
  }
  if (kind === "token") return withOddToken(random, text);
  try {
    const changed = FAULTS[kind](random, parse(text));
    return changed ? print(changed) : text;
  } catch (error) {
    if (error.name !== "GraphQLError" && error.name !== "TypeError") throw error;
    return text;
  }
}
