/**
 * Judges what a sink has made of a topic. It knows the records by Kafka's own Java consumer and the documents by a client of
 * its own, and spells the sink's documented formats out once more, on purpose: it shares no code with what it judges.
 */
import { isDeepStrictEqual } from "node:util";
import { type Document, MongoClient } from "mongodb";
import type { ByteRecord } from "./record-bytes.ts";

/** A record of the source topic. */
export interface SourceRecord {
  /** Of the topic it lies in: topic id in base64url, partition, offset. */
  readonly id: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  /** Undefined for bytes that aren't JSON: poison. Null for a tombstone. */
  readonly value: unknown;
}

export interface SinkVerdict {
  /** Neither in the database nor a dead letter. */
  readonly missing: readonly string[];
  /** In the database, and no record of the topic says so. */
  readonly strangers: readonly string[];
  /** Not what was sent, or of `latest` not the newest. */
  readonly wrong: readonly string[];
  /** Of `insert`: in the database before an earlier record of its key. */
  readonly misordered: readonly string[];
  /** Dead letters of records that are well. */
  readonly buriedAlive: readonly string[];
  /** Poison that is no dead letter. */
  readonly unburied: readonly string[];
}

export const IN_ORDER: SinkVerdict = {
  missing: [],
  strangers: [],
  wrong: [],
  misordered: [],
  buriedAlive: [],
  unburied: [],
};

export function sourceRecords(topicId: string, records: readonly ByteRecord[]): readonly SourceRecord[] {
  return records.map(({ partition, offset, key, value }) => ({
    id: `${topicId}-${partition}-${offset}`,
    partition,
    offset,
    key: String(key),
    value: value === null ? null : jsonOf(Buffer.from(value, "base64").toString("utf8")),
  }));
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The ids of the records that dead letters came from, each once: a copy after a crash has the same origin. */
export function buriedIds(deadLetters: readonly ByteRecord[]): ReadonlySet<string> {
  return new Set(
    deadLetters.map(({ headers }) => {
      const origin = headers.get("spillway-origin") ?? Buffer.alloc(28);
      return `${origin.subarray(0, 16).toString("base64url")}-${origin.readInt32BE(16)}-${origin.readBigInt64BE(20)}`;
    }),
  );
}

/** @param documents in the order in which they came to be, of shape envelope */
export function judgeInserts(
  source: readonly SourceRecord[],
  documents: readonly Document[],
  buried: ReadonlySet<string>,
): SinkVerdict {
  const records = new Map(source.map((record) => [record.id, record]));
  const found = new Set(documents.map(({ _id }) => String(_id)));
  const last = new Map<string, number>();
  const wrong: string[] = [];
  const misordered: string[] = [];
  for (const { _id: id, key, value } of documents) {
    const record = records.get(id);
    if (record === undefined) continue;
    if (key !== record.key || !isDeepStrictEqual(value, record.value)) wrong.push(id);
    if (record.offset < (last.get(record.key) ?? -1)) misordered.push(id);
    last.set(record.key, Math.max(record.offset, last.get(record.key) ?? -1));
  }
  return {
    ...judgeBurials(source, buried),
    missing: source.filter(({ id }) => !found.has(id) && !buried.has(id)).map(({ id }) => id),
    strangers: [...found].filter((id) => !records.has(id)),
    wrong,
    misordered,
  };
}

/** @param documents of shape value */
export function judgeLatest(
  topicId: string,
  source: readonly SourceRecord[],
  documents: readonly Document[],
  buried: ReadonlySet<string>,
): SinkVerdict {
  const newest = new Map<string, SourceRecord>();
  for (const record of source) {
    if (record.value === undefined) continue;
    const other = newest.get(record.key);
    if (other !== undefined && other.partition !== record.partition)
      throw new RangeError(`${record.key} is everywhere`);
    if (other === undefined || record.offset > other.offset) newest.set(record.key, record);
  }
  const found = new Map(documents.map((document) => [String(document["_id"]), document]));
  const isRight = ({ key, partition, offset, value }: SourceRecord) => {
    const version = { source: `${topicId}-${partition}`, order: offset };
    const state = value === null ? { _spillway: { ...version, deleted: true } } : { ...value, _spillway: version };
    return isDeepStrictEqual(found.get(key), { _id: key, ...state });
  };
  return {
    ...judgeBurials(source, buried),
    missing: [...newest.keys()].filter((key) => !found.has(key)),
    strangers: [...found.keys()].filter((key) => !newest.has(key)),
    wrong: [...newest.values()].filter((record) => found.has(record.key) && !isRight(record)).map(({ id }) => id),
    misordered: [],
  };
}

function judgeBurials(source: readonly SourceRecord[], buried: ReadonlySet<string>) {
  const poison = new Set(source.filter(({ value }) => value === undefined).map(({ id }) => id));
  return {
    buriedAlive: [...buried].filter((id) => !poison.has(id)),
    unburied: [...poison].filter((id) => !buried.has(id)),
  };
}

/**
 * All documents of a collection, in the order in which they came to be: FerretDB keeps them in a table of SQLite's, and
 * reads it in the order of the row numbers, which grow.
 */
export async function documentsOf(url: string, database: string, collection: string): Promise<readonly Document[]> {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 30_000 });
  try {
    const cursor = client.db(database).collection(collection).find({}, { batchSize: 2_000 });
    return await cursor.toArray();
  } finally {
    await client.close();
  }
}
