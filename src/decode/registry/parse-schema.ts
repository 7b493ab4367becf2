import { schemaFromConfluentSchema } from "@kafkajs/confluent-schema-registry/dist/schemaTypeResolver.js";
import { avroReader } from "../avro/avro-reader.ts";
import type { AvroType } from "../avro/avro-type.ts";
import { Undecodable } from "../decoded.ts";
import { jsonSchemaReader } from "../json-schema.ts";
import { readMessageIndexes, topMessages } from "../protobuf/message-index.ts";
import { protobufReader } from "../protobuf/protobuf-reader.ts";
import { isMessage, type ProtobufMessage, type ProtobufNamespace } from "../protobuf/protobuf-type.ts";
import { wellKnownFiles } from "../protobuf/well-known.ts";
import type { RegisteredSchema } from "./registered-schema.ts";

/** Reads a payload, all of it. @throws Undecodable */
export type PayloadReader = (payload: Buffer) => unknown;

/** Makes the reader of a schema. @throws Error for a schema that can't be read by */
export function parseSchema(schema: RegisteredSchema): PayloadReader {
  switch (schema.type) {
    case "AVRO":
      return avroReader(parseAvro(schema));
    case "JSON":
      return parseJsonSchema(schema);
    case "PROTOBUF":
      return parseProtobuf(schema);
    default:
      throw new Error(`schemas of type ${schema.type} aren't known here`);
  }
}

/** @throws Error for a schema that can't be parsed */
export function parseAvro({ schema, referenced }: Pick<RegisteredSchema, "schema" | "referenced">): AvroType {
  const referencedSchemas = referenced.map((one) => ({ type: "AVRO", schema: withoutDefaults(one.schema) }));
  return schemaFromConfluentSchema({ type: "AVRO", schema: withoutDefaults(schema) }, { AVRO: { referencedSchemas } });
}

/** What is written is all there: defaults are for others, and avsc refuses some that registries take. */
function withoutDefaults(schema: string): string {
  const drop = (name: string, value: unknown) => (name === "default" ? undefined : value);
  return JSON.stringify(JSON.parse(schema, drop));
}

function parseJsonSchema({ schema, referenced }: RegisteredSchema): PayloadReader {
  const referencedSchemas = referenced.map((one) => ({ type: "JSON", schema: withoutDraft(one.schema, one.name) }));
  const options = { referencedSchemas, strict: false, validateFormats: false, logger: false } as const;
  return jsonSchemaReader(schemaFromConfluentSchema({ type: "JSON", schema: withoutDraft(schema) }, { JSON: options }));
}

/** As draft 7, the one that can be checked: whatever later drafts share with it holds. `$id` is how others refer to it. */
function withoutDraft(schema: string, id?: string): string {
  const parsed: unknown = JSON.parse(schema);
  if (typeof parsed !== "object" || parsed === null) return schema;
  const { $schema: _, ...rest }: Record<string, unknown> = { ...parsed };
  return JSON.stringify(id === undefined ? rest : { $id: id, ...rest });
}

function parseProtobuf({ schema, referenced }: RegisteredSchema): PayloadReader {
  const names = topMessages(schema);
  const [first] = names;
  if (first === undefined) throw new Error("the file has no message");
  const protos = [...referenced.map((one) => one.schema), schema];
  const referencedSchemas = [...protos.slice(0, -1), ...wellKnownFiles(protos)].map((proto) => ({
    type: "PROTOBUF",
    schema: proto,
  }));
  const options = { PROTOBUF: { messageName: first, referencedSchemas } };
  const { message: firstMessage } = schemaFromConfluentSchema({ type: "PROTOBUF", schema }, options);
  rootOf(firstMessage).resolveAll();

  const readers = new Map<ProtobufMessage, PayloadReader>();
  return (payload) => {
    const { indexes, message } = readMessageIndexes(payload);
    const type = messageAt(firstMessage, names, indexes);
    let read = readers.get(type);
    if (read === undefined) {
      read = protobufReader(type);
      readers.set(type, read);
    }
    return read(message);
  };
}

function rootOf(namespace: ProtobufNamespace): ProtobufNamespace {
  return namespace.parent === null ? namespace : rootOf(namespace.parent);
}

function messageAt(first: ProtobufMessage, names: readonly string[], indexes: readonly number[]): ProtobufMessage {
  const [top = -1, ...inner] = indexes;
  let found = first.parent?.nested?.[names[top] ?? ""];
  for (const index of inner) found = Object.values((isMessage(found) && found.nested) || {}).filter(isMessage)[index];
  if (isMessage(found)) return found;
  throw new Undecodable("schema-mismatch", `the schema has no message at ${indexes.join(".")}`);
}
