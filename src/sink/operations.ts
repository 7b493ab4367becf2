import type { DeadLetterReason } from "../dead-letter/reason.ts";

/** What a database stores: names and values. */
export type Fields = Readonly<Record<string, unknown>>;

/** A new document. Its `_id` is `id`, of the record's origin, so a repeated insert finds itself there. */
export interface Insert {
  readonly kind: "insert";
  readonly id: string;
  readonly document: Fields;
}

/** An `Insert` whose document is BSON already, its `_id` included. */
export interface InsertBson {
  readonly kind: "insert-bson";
  readonly id: string;
  readonly bson: Buffer;
}

/** The latest state of a key: one document, replaced by newer versions only. Its `_id` is `id`, the key. */
export interface Latest {
  readonly kind: "latest";
  readonly id: string;
  /** With `_id` and the version in it: see `models/latest.ts`. */
  readonly document: Fields;
  readonly version: Version;
}

/** A change to one document, by the operators of the database. That a repeat does no harm is up to whoever made it. */
export interface Update {
  readonly kind: "update";
  readonly filter: Fields;
  readonly update: Fields;
  readonly upsert: boolean;
}

/** One document less. */
export interface Delete {
  readonly kind: "delete";
  readonly filter: Fields;
}

/** What is to be done in one collection. */
export type Operation = (Insert | InsertBson | Latest | Update | Delete) & {
  /** Of the record's key and value: a measure of the operation's size. */
  readonly bytes: number;
  /** In an ordered batch: those that differ in it don't depend on each other. The hash of the record's key, as a rule. */
  readonly orderedBy?: number;
};

export type OperationKind = Operation["kind"];

/** Which of two states is newer. Versions of different sources don't compare. */
export interface Version {
  /** What counts: an origin's topic id and partition, whose offsets count; or a field of the values. */
  readonly source: string;
  readonly order: VersionOrder;
}

/** Numbers compare with each other, texts with each other, by their UTF-8 bytes. */
export type VersionOrder = bigint | number | string;

/** An operation and the collection it is for. */
export interface PlannedOperation {
  readonly collection: string;
  readonly operation: Operation;
}

/** The record can't be written as it is: a dead letter. */
export interface Rejected {
  readonly kind: "rejected";
  readonly reason: DeadLetterReason;
}

export function rejected(code: string, message: string): Rejected {
  return { kind: "rejected", reason: { code, message } };
}

/** Undefined where they don't compare. */
export function isNewer(one: Version, than: Version): boolean | undefined {
  if (one.source !== than.source) return undefined;
  const [a, b] = [one.order, than.order];
  if (typeof a === "string" && typeof b === "string") return Buffer.compare(Buffer.from(a), Buffer.from(b)) > 0;
  if (typeof a === "string" || typeof b === "string") return undefined;
  return a > b;
}
