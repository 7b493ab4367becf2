import assert from "node:assert/strict";
import { before, test } from "node:test";
import type { FieldCodec } from "../../src/kafka/protocol/codec.ts";
import * as describeMessages from "../../src/kafka/protocol/describe-messages.ts";
import * as groupMessages from "../../src/kafka/protocol/group-messages.ts";
import * as messages from "../../src/kafka/protocol/messages.ts";
import * as producerMessages from "../../src/kafka/protocol/producer-messages.ts";
import * as transactionMessages from "../../src/kafka/protocol/transaction-messages.ts";
import { testServices } from "../helpers/services.ts";

/** What is used of Kafka's message definitions (`common/message/*.json`). */
interface Definition {
  readonly apiKey: number;
  readonly flexibleVersions: string;
  readonly validVersions: string;
  readonly fields: readonly Field[];
  readonly commonStructs?: readonly (Field & { readonly name: string })[];
}

interface Field {
  readonly name: string;
  readonly type: string;
  readonly versions: string;
  readonly nullableVersions?: string;
  readonly taggedVersions?: string;
  readonly fields?: readonly Field[];
}

const definitions = new Map<string, Definition>();
const tables = [messages, groupMessages, transactionMessages, describeMessages, producerMessages];
const apis = tables.flatMap((table) => Object.values(table));

before(async () => {
  const { java } = await testServices();
  const names = apis.flatMap(({ name }) => [`${name}Request`, `${name}Response`]);
  const { code, stdout, stderr } = await java.runJavaSource("test/java/MessageDefinitions.java", names);
  assert.equal(code, 0, stderr);
  for (const part of stdout.split(/^=== /m).slice(1)) {
    const end = part.indexOf("\n");
    const json = part
      .slice(end)
      .replace(/^\s*\/\/.*$/gm, "")
      .replace(/\/\/[^"\n]*$/gm, "");
    definitions.set(part.slice(0, end).trim(), JSON.parse(json) as Definition);
  }
});

for (const { name, key, version, request, response } of apis) {
  test(`${name} ${version} is written and read as Kafka defines it`, () => {
    for (const [kind, codec] of [
      ["Request", request],
      ["Response", response],
    ] as const) {
      const definition = definitions.get(`${name}${kind}`) as Definition;
      assert.equal(definition.apiKey, key);
      assert.ok(includes(definition.validVersions, version) && includes(definition.flexibleVersions, version));
      assert.deepEqual(ours(codec), theirs(definition.fields, version, definition), `${name}${kind}`);
    }
  });
}

/** Field names in order, each with its type, structs nested. */
type Shape = readonly (readonly [string, string, Shape?])[];

function ours(codec: Pick<FieldCodec<unknown>, "fields">): Shape {
  return Object.entries(codec.fields ?? {}).map(([name, field]) => {
    const type = field.type.replace("struct", "");
    return field.fields === undefined ? [name, type] : [name, type, ours(field)];
  });
}

function theirs(fields: readonly Field[], version: number, definition: Definition): Shape {
  return fields
    .filter(
      ({ versions, taggedVersions }) => includes(versions, version) && !includes(taggedVersions ?? "none", version),
    )
    .map((field) => {
      const nullable = includes(field.nullableVersions ?? "none", version) ? "?" : "";
      const isArray = field.type.startsWith("[]");
      const element = field.type.replace("[]", "").replace("records", "bytes");
      const nested = field.fields ?? definition.commonStructs?.find(({ name }) => name === element)?.fields;
      const name = field.name[0]?.toLowerCase() + field.name.slice(1);
      if (nested === undefined) return [name, `${isArray ? "[]" : ""}${element}${nullable}`];
      return [name, `${isArray ? "[]" : ""}${nullable}`, theirs(nested, version, definition)];
    });
}

function includes(range: string, version: number): boolean {
  if (range === "none") return false;
  const [from, to] = range.split("-");
  if (range.endsWith("+")) return version >= Number.parseInt(range, 10);
  return version >= Number(from) && version <= Number(to ?? from);
}
