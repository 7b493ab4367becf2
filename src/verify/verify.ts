/**
 * Proves that what was in some source topics is in some target topics, as relays leave it there: every record once, in
 * its partition, in its order, and nothing else.
 *
 * It reads the sources, then the targets, up to the ends that both have when their turn comes, so that it ends on live
 * topics. Records are matched by provenance, exactly, where the target's carry an origin, else by their content.
 *
 * Memory is bounded by offsets, not by records' sizes: two bits for each record that is in source and target (4 MB for
 * 14.5 million), eight bytes in stretches of 65,536 offsets where something is repeated; where records
 * overtake each other 60 MB for the order of up to a million keys; by content 3 MB of digests, and 100 MB to look into what differs. And
 * what is fetched ahead, 8 MiB.
 */
import type { Logger } from "pino";
import { SpillwayError } from "../errors.ts";
import { Brokers, partitionsOf } from "../kafka/cluster.ts";
import type { KafkaOptions } from "../kafka/options.ts";
import { beginsOf, describeTopics, endsOf, type Range, readRange, settledEndsOf } from "../kafka/range.ts";
import type { FetchOptions } from "../kafka/source.ts";
import { partitionKey } from "../kafka/topic-partition.ts";
import { RecordCursor } from "../record-batch/record-cursor.ts";
import { compactedTopics } from "./cleanup-policy.ts";
import { Buckets, ContentDigest, ContentHasher } from "./content.ts";
import { comparePlain } from "./content-pass.ts";
import { KeyOrder } from "./key-order.ts";
import { Lineages } from "./lineage.ts";
import { Findings, type GapCounts, newGapCounts, type VerifyMethod, type VerifyReport } from "./report.ts";
import { type IsDropped, NEVER, newSourcePartition, SourceLedger, type SourcePartition } from "./source-ledger.ts";
import { placeOf, TargetLedger } from "./target-ledger.ts";
import { newTargetPartition, type TargetPartition, targetRecords } from "./target-records.ts";

/** How long to wait for transactions to end. */
const SETTLE_MS = 5_000;

export interface VerifyOptions {
  readonly kafka: KafkaOptions;
  readonly sources: readonly string[];
  /** A record must be in one of them: a relay with rules has several. */
  readonly targets: readonly string[];
  /** Of the sources' records, those that a rule of the relay drops: they must not be in a target. */
  readonly isDropped?: IsDropped;
  readonly fetch?: Partial<FetchOptions>;
}

export interface VerifyContext {
  readonly signal: AbortSignal;
  readonly log: Logger;
}

/**
 * See above. What it finds is no error: `isProven` says whether it is what it should be.
 * @throws SpillwayError TOPIC_MISSING, CONFIG_INVALID, BATCH_CORRUPT, TIMEOUT, and what reading throws
 */
export async function verifyRelay(asked: VerifyOptions, { signal, log }: VerifyContext): Promise<VerifyReport> {
  const startedAt = performance.now();
  const options = { ...asked, sources: [...new Set(asked.sources)], targets: [...new Set(asked.targets)] };
  assertApart(options);
  await using brokers = new Brokers(options.kafka, log);
  await brokers.connect(signal, log);
  const lineages = new Lineages();
  const findings = new Findings();

  const read = await readSources(options, { brokers, lineages, signal, log });
  const { sources, sourceRange, laterEnds } = read;
  const { topics, targetRange } = read;
  const gaps = sumOfGaps(sources.values());

  const targets = new Map<string, TargetPartition>();
  const partitionCounts = new Map(topics.map(({ topic, partitions }) => [topic, partitions.length]));
  for (const begin of targetRange.positions) {
    targets.set(partitionKey(begin), newTargetPartition(begin, partitionCounts.get(begin.topic) ?? 0));
  }
  const buckets = new Buckets([...read.sourcePartitionCounts, ...partitionCounts.values()]);
  const unmarked = new ContentDigest(buckets);
  const hasher = new ContentHasher();
  const ledger = new TargetLedger({
    lineages,
    findings,
    sourcesLostRecords: gaps.retention + gaps.compaction + gaps.batchHoles + gaps.unexplained > 0,
    onUnmarked: ({ cursor, batch }) => {
      const content = hasher.hash(cursor, batch);
      unmarked.add(buckets.of(cursor, content), content);
    },
  });
  await readRange(targetRange, (part, end) => {
    ledger.take(targets.get(partitionKey(part)) as TargetPartition, part, end);
  });

  const orderUnchecked = ledger.overtaken > 0 ? await judgeKeys(targetRange, targets, { lineages, findings }) : 0;

  const methods = methodsOf(options.targets, targets.values());
  const byContent = Object.values(methods).some((method) => method === "content" || method === "mixed");
  findMissing(lineages, findings, byContent);
  const input = {
    lineages,
    findings,
    buckets,
    target: unmarked,
    sources,
    isDropped: options.isDropped ?? NEVER,
    targets,
    sourceRange,
    laterEnds,
    targetRange,
  };
  const laterByContent = byContent ? await comparePlain(input) : 0;

  return {
    sources: options.sources,
    targets: options.targets,
    method: together(Object.values(methods)),
    methods,
    sourceRecords: sum(sources.values(), ({ records }) => records),
    dropped: sum(sources.values(), ({ dropped }) => dropped),
    targetRecords: sum(targets.values(), (target) => target.marked + target.unmarked),
    ...findings.counts,
    outlived: ledger.outlived,
    later: ledger.later + laterByContent,
    orderUnchecked,
    gaps,
    examples: findings.examples,
    seconds: Math.round(performance.now() - startedAt) / 1000,
  };
}

function assertApart({ sources, targets }: VerifyOptions): void {
  const both = sources.find((source) => targets.includes(source));
  if (both !== undefined) {
    throw new SpillwayError("CONFIG_INVALID", "A topic can't be source and target", { context: { topic: both } });
  }
}

interface Connected extends VerifyContext {
  readonly brokers: Brokers;
  readonly lineages: Lineages;
}

/**
 * Reads the sources up to the ends they have now. Then it takes the target's ends, and goes on in the sources to where
 * these could have come from: so whatever is in the target is known, and nothing is foreign that is only newer.
 */
async function readSources(options: VerifyOptions, { brokers, lineages, signal, log }: Connected) {
  const { kafka, fetch } = options;
  const described = await describeTopics(brokers, options.sources, signal);
  const topics = await describeTopics(brokers, options.targets, signal);
  const compacted = await compactedTopics(brokers, options.sources);
  const partitions = described.flatMap(partitionsOf);
  const positions = await beginsOf(brokers, partitions, signal);
  const sources = new Map(
    positions.map((begin) => [partitionKey(begin), newSourcePartition(begin, lineages, compacted.has(begin.topic))]),
  );
  const ends = await endsOf(brokers, partitions, signal);
  const sourceRange: Range = { kafka, fetch, positions, ends, signal, log };
  const ledger = new SourceLedger(lineages, options.isDropped);
  const readInto = async (range: Range, into: ReadonlyMap<string, SourcePartition>, phase: "expected" | "later") => {
    const onLost: Range["onLost"] = (lost) =>
      into.get(partitionKey(lost))?.lost.push({ from: Number(lost.from), to: Number(lost.to) });
    await readRange({ ...range, onLost }, (part, end) =>
      ledger.take(into.get(partitionKey(part)) as SourcePartition, part, end, phase),
    );
    for (const [key, source] of into) ledger.close(source, range.ends.get(key) ?? 0);
  };
  await readInto(sourceRange, sources, "expected");

  const targetPartitions = topics.flatMap(partitionsOf);
  const targetPositions = await beginsOf(brokers, targetPartitions, signal);
  const { ends: targetEnds, open } = await settledEndsOf(brokers, targetPartitions, { signal, waitMs: SETTLE_MS });
  if (open !== undefined) {
    const { topic, partition } = open;
    log.warn({ topic, partition }, "a transaction stays open: verifying what lies before it");
  }
  const targetRange: Range = { kafka, fetch, positions: targetPositions, ends: targetEnds, signal, log };

  const laterEnds = await endsOf(brokers, partitions, signal);
  const behind = new Map<string, SourcePartition>();
  for (const [key, source] of sources) behind.set(key, { ...source, gaps: newGapCounts(), lost: [] });
  const from = [...behind.values()].map(({ next, ...source }) => ({ ...source, offset: BigInt(next) }));
  await readInto({ ...sourceRange, positions: from, ends: laterEnds }, behind, "later");
  for (const [key, { own }] of sources) if (own.own !== undefined) own.own.end = laterEnds.get(key) ?? 0;
  const sourcePartitionCounts = described.map((topic) => topic.partitions.length);
  return { sources, sourceRange, laterEnds, topics, targetRange, sourcePartitionCounts };
}

/** Reads the target again to see which of the records that were overtaken have lost the order of their key. */
async function judgeKeys(
  range: Range,
  targets: ReadonlyMap<string, TargetPartition>,
  { lineages, findings }: { readonly lineages: Lineages; readonly findings: Findings },
): Promise<number> {
  const order = new KeyOrder(lineages);
  const cursor = new RecordCursor();
  await readRange(range, (part, end) => {
    const target = targets.get(partitionKey(part)) as TargetPartition;
    for (const record of targetRecords(target, part, end, cursor)) {
      const { offset } = record;
      if (!order.isInOrder(record)) findings.add("outOfOrder", () => placeOf(target, offset, cursor));
    }
  });
  return order.unchecked;
}

/** What marks alone say: by content, a record of which no copy is marked may still be found. */
function findMissing(lineages: Lineages, findings: Findings, byContent: boolean): void {
  for (const lineage of lineages.all()) {
    const { topicId, partition, own } = lineage;
    for (const { offset, more } of lineage.expected.moreOftenThan(lineage.placed, lineage.misplaced)) {
      if (byContent && lineage.inTarget(offset) === 0) continue;
      const place =
        own === undefined
          ? { topic: topicId, partition, offset, origin: { topicId, partition, offset } }
          : { topic: own.topic, partition, offset };
      findings.add("missing", () => place, more);
    }
  }
}

function methodsOf(topics: readonly string[], partitions: Iterable<TargetPartition>): Record<string, VerifyMethod> {
  const all = [...partitions];
  return Object.fromEntries(
    topics.map((topic) => {
      const ofTopic = all.filter((partition) => partition.topic === topic);
      const marked = sum(ofTopic, (partition) => partition.marked);
      const unmarked = sum(ofTopic, (partition) => partition.unmarked);
      if (marked > 0 && unmarked > 0) return [topic, "mixed"];
      return [topic, marked > 0 ? "provenance" : unmarked > 0 ? "content" : "none"];
    }),
  );
}

function together(methods: readonly VerifyMethod[]): VerifyMethod {
  const used = new Set(methods.filter((method) => method !== "none"));
  const [only] = used;
  return used.size > 1 ? "mixed" : (only ?? "none");
}

function sumOfGaps(sources: Iterable<SourcePartition>): GapCounts {
  const total = newGapCounts();
  for (const { gaps } of sources) for (const reason of REASONS) total[reason] += gaps[reason];
  return total;
}

const REASONS = Object.keys(newGapCounts()) as (keyof GapCounts)[];

function sum<T>(items: Iterable<T>, of: (item: T) => number): number {
  let total = 0;
  for (const item of items) total += of(item);
  return total;
}
