import { BSON } from "mongodb";
import type { Fields, Insert, InsertBson, Latest, VersionOrder } from "../../src/sink/operations.ts";
import type { Outcome } from "../../src/sink/target.ts";

type Sized<T> = T & { readonly bytes: number };

export function insertOf(id: string, fields: Fields = {}): Sized<Insert> {
  return { kind: "insert", id, document: { ...fields, _id: id }, bytes: 100 };
}

/** `count` inserts with the ids <prefix>-0 and so on, and their number as n. */
export function inserts(count: number, prefix = "id"): Sized<Insert>[] {
  return Array.from({ length: count }, (_, n) => insertOf(`${prefix}-${n}`, { n }));
}

/** The same, as BSON. */
export function bsonOf({ id, document, bytes }: Sized<Insert>): Sized<InsertBson> {
  return { kind: "insert-bson", id, bson: Buffer.from(BSON.serialize(document)), bytes };
}

/** As model latest plans it. */
export function latestOf(id: string, order: VersionOrder, fields: Fields = {}, source = "topic-0"): Sized<Latest> {
  const version = { source, order };
  return { kind: "latest", id, document: { ...fields, _id: id, _spillway: version }, version, bytes: 100 };
}

export function kinds(outcomes: readonly Outcome[]): string[] {
  return outcomes.map(({ kind }) => kind);
}

export function all(kind: Outcome["kind"], count: number): string[] {
  return new Array<string>(count).fill(kind);
}

export function dataErrors(outcomes: readonly Outcome[]): string[] {
  return outcomes.filter((outcome) => outcome.kind === "data-error").map(({ code }) => code);
}
