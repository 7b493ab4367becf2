import { createHash } from "node:crypto";
import { murmur2 } from "../../src/record-batch/murmur2.ts";

/** A file of batches as ReadBatches.java describes it; 64-bit numbers are text, for no double holds them. */
export interface DescribedFile {
  /** Version of the Java classes. */
  readonly kafka: string;
  readonly batches: readonly DescribedBatch[];
  /** Instead of batches: why Java can't read them. */
  readonly error?: string;
}

export interface DescribedBatch extends DescribedRecords {
  readonly baseOffset: string;
  readonly lastOffset: string;
  readonly codec: string;
  readonly logAppendTime: boolean;
  readonly maxTimestamp: string;
  readonly transactional: boolean;
  readonly producerId: string;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly recordCount: number;
  readonly deleteHorizon?: string;
  /** Of a control batch: ABORT, COMMIT or another type of marker, EMPTY where compaction took it. */
  readonly control?: string;
}

/** The records, or a digest of them where they are many. */
export interface DescribedRecords {
  readonly records?: readonly DescribedRecord[];
  readonly digest?: string;
}

export interface DescribedRecord {
  readonly offset: string;
  readonly timestamp: string;
  /** Base64, or length and hash of what is long. */
  readonly key: string | null;
  readonly value: string | null;
  /** Java's murmur2, made positive; only where there is a key. */
  readonly keyHash?: number;
  readonly headers: readonly (readonly [string, string | null])[];
}

/** What there is to say of a record, whoever read or made it. */
export interface RecordContent {
  readonly offset: bigint;
  readonly timestamp: bigint;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly { readonly key: string; readonly value: Uint8Array | null }[];
}

// Both as in ReadBatches.java.
const DIGEST_ABOVE_RECORDS = 100;
const HASH_ABOVE_BYTES = 300;

export function describeRecords(records: readonly RecordContent[]): DescribedRecords {
  if (records.length <= DIGEST_ABOVE_RECORDS) return { records: records.map(describeRecord) };
  const digest = createHash("sha256");
  for (const record of records) digest.update(`${lineOf(describeRecord(record))}\n`);
  return { digest: digest.digest("hex") };
}

export function describeRecord({ offset, timestamp, key, value, headers }: RecordContent): DescribedRecord {
  return {
    offset: String(offset),
    timestamp: String(timestamp),
    key: textOf(key),
    value: textOf(value),
    ...(key === null ? {} : { keyHash: murmur2(key, 0, key.length) & 0x7fffffff }),
    headers: headers.map((header) => [header.key, textOf(header.value)]),
  };
}

function textOf(bytes: Uint8Array | null): string | null {
  if (bytes === null) return null;
  if (bytes.length <= HASH_ABOVE_BYTES) return Buffer.from(bytes).toString("base64");
  return `${bytes.length} bytes, sha256 ${createHash("sha256").update(bytes).digest("hex")}`;
}

function lineOf({ offset, timestamp, key, value, headers }: DescribedRecord): string {
  const fields = [offset, timestamp, key, value].map((part) => `${part} `);
  return [...fields, ...headers.map(([name, text]) => `${name.length} ${name} ${text} `)].join("");
}
