// Every key of a recipe with its values, default and meaning, taken from the schema: for messages, help and the manual.

import { z } from "zod";
import { recipeFileSchema } from "./schema.ts";

/** One key. */
export interface RecipeKey {
  /** Dotted path; `N` stands for the number of a list's entry: `data.train.N.format`. */
  readonly key: string;
  /** The kinds of its object that have it; `null`: all. */
  readonly when: { readonly key: string; readonly kinds: readonly string[] } | null;
  /** What it may be, in words and with its range. */
  readonly values: string;
  /** JSON text; `undefined`: there is none. */
  readonly preset: string | undefined;
  readonly required: boolean;
  readonly text: string;
}

/** What this file reads of a JSON schema. */
interface Node {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Node[];
  readonly oneOf?: readonly Node[];
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: unknown;
  readonly items?: Node | boolean;
  readonly prefixItems?: readonly Node[];
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly default?: unknown;
  readonly description?: string;
}

/** The schema of recipe files as JSON Schema (draft 2020-12), every key with its description and default. */
const schemaNode = (): Node => z.toJSONSchema(recipeFileSchema, { io: "input" }) as Node;

/** The alternatives of a node, those of alternatives included; itself when it has none. */
function alternatives(node: Node): readonly Node[] {
  const some = node.anyOf ?? node.oneOf;
  return some === undefined ? [node] : some.flatMap(alternatives);
}

/** Its alternatives that are objects with known keys. */
const objectsOf = (node: Node): readonly Node[] =>
  alternatives(node).filter((part) => part.properties !== undefined && part.additionalProperties === false);

/** The key that tells alternatives apart: a constant in each of them, and not always the same. */
function kindKey(objects: readonly Node[]): string | undefined {
  const keys = Object.keys(objects[0]?.properties ?? {});
  return keys.find((key) => objects.every((object) => object.properties?.[key]?.const !== undefined));
}

const NOT_SAFE = Number.MAX_SAFE_INTEGER;

function range(node: Node): string {
  const low = node.minimum !== undefined && node.minimum > -NOT_SAFE ? node.minimum : undefined;
  const high = node.maximum !== undefined && node.maximum < NOT_SAFE ? node.maximum : undefined;
  const above = node.exclusiveMinimum;
  const below = node.exclusiveMaximum;
  const start = above !== undefined ? `above ${above}` : low !== undefined ? `from ${low}` : "";
  const end = below !== undefined ? `below ${below}` : high !== undefined ? `to ${high}` : "";
  return [start, end].filter((part) => part !== "").join(" ");
}

const listed = (values: readonly unknown[]): string =>
  values.map((value) => JSON.stringify(value)).join(" or ");

/** What a node may be, in words. */
function values(node: Node): string {
  const parts = node.anyOf ?? node.oneOf;
  if (parts !== undefined) return [...new Set(parts.map(values))].join(" or ");
  if (node.const !== undefined) return listed([node.const]);
  if (node.enum !== undefined) return listed(node.enum);
  if (node.prefixItems !== undefined) return `[${node.prefixItems.map(values).join(", ")}]`;
  switch (node.type) {
    case "integer":
      return `whole number ${range(node)}`.trimEnd();
    case "number":
      return `number ${range(node)}`.trimEnd();
    case "boolean":
      return "true or false";
    case "array":
      return typeof node.items === "object" ? `list of: ${values(node.items)}` : "list";
    case "string":
      return "text";
    default:
      return node.type ?? "anything";
  }
}

/** The rows of every key below `objects`, which are the alternatives of the value at `key`. */
function rowsBelow(objects: readonly Node[], key: string): RecipeKey[] {
  const kind = kindKey(objects);
  const keyOf = (name: string): string => (key === "" ? name : `${key}.${name}`);
  const names = [...new Set(objects.flatMap((object) => Object.keys(object.properties!)))];
  return names.flatMap((name) => {
    const holders = objects.filter((object) => object.properties![name] !== undefined);
    if (name === kind) {
      const kinds = holders.map((object) => object.properties![name]!);
      return [
        {
          key: keyOf(name),
          when: null,
          values: listed(kinds.map((node) => node.const)),
          preset: undefined,
          required: true,
          text: kinds.map((node) => `\`${node.const}\`: ${node.description ?? ""}`).join(" "),
        },
      ];
    }
    const groups = groupBy(holders, (object) => JSON.stringify(object.properties![name]));
    return [...groups.values()].flatMap((group) => {
      const kinds = kind === undefined ? [] : group.map((object) => String(object.properties![kind]!.const));
      const when = kind === undefined || group.length === objects.length ? null : { key: keyOf(kind), kinds };
      const required = group.every((object) => object.required?.includes(name) === true);
      return rowsOf(group[0]!.properties![name]!, keyOf(name), when, required);
    });
  });
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}

/** The row of one key, and those of the keys below it. */
function rowsOf(node: Node, key: string, when: RecipeKey["when"], required: boolean): RecipeKey[] {
  const objects = objectsOf(node);
  const entries = alternatives(node).flatMap((part) => (typeof part.items === "object" ? [part.items] : []));
  const preset = node.default === undefined ? undefined : JSON.stringify(node.default);
  const own = { key, when, values: values(node), preset, required, text: node.description ?? "" };
  const below = [
    ...rowsBelow(objects, key),
    ...entries.flatMap((entry) => rowsBelow(objectsOf(entry), `${key}.N`)),
  ];
  // What only some kinds have, they have with all that is below it.
  return [own, ...below.map((row) => (row.when === null ? { ...row, when } : row))];
}

/** Every key of a recipe file, in the schema's order, parents before their keys. */
export function describeRecipe(): readonly RecipeKey[] {
  return rowsBelow(alternatives(schemaNode()), "");
}

/** Keys without default that may be left out; lists' entries aside. */
export function optionalKeys(): readonly string[] {
  const optional = describeRecipe().filter(({ required, preset }) => !required && preset === undefined);
  return [...new Set(optional.map(({ key }) => key))].filter((key) => !key.split(".").includes("N"));
}

/** The keys as a Markdown table. */
export function recipeKeysTable(keys: readonly RecipeKey[] = describeRecipe()): string {
  const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");
  const rows = keys.map(({ key, when, values: what, preset, required, text }) => {
    const only = when === null ? "" : ` (${when.kinds.join(", ")})`;
    const start = required ? "required" : preset === undefined ? "" : `\`${preset}\``;
    return `| \`${key}\`${only} | ${cell(what)} | ${cell(start)} | ${cell(text)} |`;
  });
  return ["| key | values | default | what |", "|---|---|---|---|", ...rows].join("\n");
}

/** The schema with nothing required, null for what may be left out, and alternatives of which several may fit. */
function relaxed(node: Node): Node {
  const { required = [], oneOf, anyOf, properties, items, prefixItems, ...rest } = node;
  const alternative = anyOf ?? oneOf;
  const member = ([name, held]: [string, Node]): [string, Node] => {
    const inner = relaxed(held);
    const optional = held.default === undefined && !required.includes(name);
    return [name, optional ? { anyOf: [inner, { type: "null" }] } : inner];
  };
  return {
    ...rest,
    ...(alternative && { anyOf: alternative.map(relaxed) }),
    ...(properties && { properties: Object.fromEntries(Object.entries(properties).map(member)) }),
    ...(items !== undefined && { items: typeof items === "object" ? relaxed(items) : items }),
    ...(prefixItems && { prefixItems: prefixItems.map(relaxed) }),
  };
}

/**
 * JSON Schema of recipe files for editors: keys, values, descriptions. Nothing is required in it, because a file may get any
 * key from the recipe that it extends; reading the recipe checks the whole.
 */
export function recipeJsonSchema(): object {
  return { title: "hrnet-ts training recipe", ...relaxed(schemaNode()) };
}
