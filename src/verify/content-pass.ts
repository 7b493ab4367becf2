import { type Range, readRange } from "../kafka/range.ts";
import { type Position, partitionKey } from "../kafka/topic-partition.ts";
import { RecordCursor } from "../record-batch/record-cursor.ts";
import { allBatches } from "./batches.ts";
import { type Buckets, ContentDigest, ContentHasher } from "./content.ts";
import { ContentMatch } from "./content-match.ts";
import { keyHash } from "./key-order.ts";
import type { Lineages } from "./lineage.ts";
import type { ExamplePlace, Findings } from "./report.ts";
import { type IsDropped, identify, type SourcePartition } from "./source-ledger.ts";
import { type TargetPartition, type TargetRecord, targetRecords } from "./target-records.ts";

/** Records that are looked into at once: some 100 MB. More only if a bucket, which most often is a key, has more. */
const MATCHED_AT_ONCE = 400_000;

export interface ContentInput {
  readonly lineages: Lineages;
  readonly findings: Findings;
  readonly buckets: Buckets;
  /** Of the target's records without an origin. */
  readonly target: ContentDigest;
  readonly sources: ReadonlyMap<string, SourcePartition>;
  readonly isDropped: IsDropped;
  readonly targets: ReadonlyMap<string, TargetPartition>;
  /** Up to the ends that are verified; and to where the target may have records from. */
  readonly sourceRange: Range;
  readonly laterEnds: ReadonlyMap<string, number>;
  readonly targetRange: Range;
}

/**
 * Compares the target's records without an origin with the source records that no origin in the target stands for. One
 * more pass over the sources makes digests; then only what lies in buckets that differ is read again, and matched one by
 * one, in as many passes as memory needs. Returns how many lie behind the ends that are verified.
 */
export async function comparePlain(input: ContentInput): Promise<number> {
  const source = new ContentDigest(input.buckets);
  await readUnmatched(input, input.sourceRange, (bucket, content) => source.add(bucket, content));
  let later = 0;
  for (const group of groupsOf(source.differing(input.target), [source.records, input.target.records])) {
    later += await matchOneByOne(input, group);
  }
  return later;
}

async function matchOneByOne(input: ContentInput, group: ReadonlySet<number>): Promise<number> {
  const { buckets, sourceRange, laterEnds } = input;
  const match = new ContentMatch(input.findings);
  const range = { ...sourceRange, ends: laterEnds };
  await readUnmatched(input, range, (bucket, content, place) => {
    const isExpected = place.offset < (sourceRange.ends.get(partitionKey(place)) ?? 0);
    if (group.has(bucket)) match.addSource(place, content, isExpected);
  });
  await readUnmarked(input, ({ target: { topic, partition }, offset, batch, cursor, inPlace }, hasher) => {
    const content = hasher.hash(cursor, batch);
    const bucket = buckets.of(cursor, content);
    if (!group.has(bucket)) return;
    const { bytes, keyStart, keyEnd } = cursor;
    const key = inPlace && keyStart >= 0 ? keyHash(bytes, keyStart, keyEnd) : undefined;
    match.takeTarget({ topic, partition, offset }, content, key);
  });
  match.finish();
  return match.later;
}

type TakeContent = (bucket: number, content: Buffer, place: ExamplePlace) => void;

/** Reads the source records that no origin in the target stands for. */
async function readUnmatched(input: ContentInput, range: Range, take: TakeContent): Promise<void> {
  const { lineages, buckets, sources, isDropped } = input;
  const hasher = new ContentHasher();
  const cursor = new RecordCursor();
  const positions = beginsIn(range.positions);
  // What left the log since the first pass would be missing here, and foreign there: better to begin again.
  await readRange({ ...range, fetch: { ...range.fetch, outOfRange: "stop" } }, (part, end) => {
    const known = sources.get(partitionKey(part)) as SourcePartition;
    const from = { ...known, next: positions.get(partitionKey(part)) ?? 0 };
    for (const item of allBatches(part)) {
      if (item.kind !== "data") continue;
      for (const { lineage, identity, offset } of identify(from, item.batch, item.base, end - 1, cursor, lineages)) {
        if (lineage.inTarget(identity) > 0 || isDropped(cursor, item.batch)) continue;
        const content = hasher.hash(cursor, item.batch);
        take(buckets.of(cursor, content), content, { topic: part.topic, partition: part.partition, offset });
      }
    }
  });
}

/** Reads the target's records that carry no origin. */
async function readUnmarked(
  { targets, targetRange }: ContentInput,
  take: (record: TargetRecord, hasher: ContentHasher) => void,
): Promise<void> {
  const hasher = new ContentHasher();
  const cursor = new RecordCursor();
  await readRange({ ...targetRange, fetch: { ...targetRange.fetch, outOfRange: "stop" } }, (part, end) => {
    const target = targets.get(partitionKey(part)) as TargetPartition;
    for (const record of targetRecords(target, part, end, cursor)) if (cursor.originAt < 0) take(record, hasher);
  });
}

function beginsIn(positions: readonly Position[]): ReadonlyMap<string, number> {
  return new Map(positions.map((position) => [partitionKey(position), Number(position.offset)]));
}

/** Buckets in groups of few enough records to be matched at once. One that has more by itself is a group all the same. */
export function groupsOf(
  differing: readonly number[],
  records: readonly Uint32Array[],
  atOnce = MATCHED_AT_ONCE,
): ReadonlySet<number>[] {
  const groups: Set<number>[] = [];
  let room = 0;
  for (const bucket of differing) {
    const needed = records.reduce((sum, of) => sum + (of[bucket] as number), 0);
    if (needed > room || groups.length === 0) {
      groups.push(new Set());
      room = atOnce;
    }
    room -= needed;
    groups.at(-1)?.add(bucket);
  }
  return groups;
}
