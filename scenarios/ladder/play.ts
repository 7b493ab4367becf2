import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Topics } from "../../bench/topics.ts";
import { Child } from "../../src/demo/child.ts";
import { RecordProducer } from "../../src/kafka/record-producer.ts";
import { encodeValue } from "../../src/producer/record-value.ts";
import { VALUE_BYTES } from "../catalog.ts";
import { documentId, Ledger, originId } from "../ledger.ts";
import { DATABASE } from "../names.ts";
import type { Ladder, LadderPace, Rung } from "./catalog.ts";
import type { Destination } from "./destinations.ts";
import type { LadderFigures, RungFigures } from "./figures.ts";
import type { WriterJob } from "./job.ts";
import type { LadderParts, LadderPlaces } from "./places.ts";

const SPILLWAY = join(import.meta.dirname, "../../src/cli/main.ts");
const WRITER = join(import.meta.dirname, "writer.ts");
const FIRST_DOCUMENT_MS = 90_000;
const LOOK_MS = 50;
const STOP_GRACE_MS = 60_000;

interface Filled {
  readonly id: string;
  /** By the account's names, in their order. */
  readonly topics: readonly { readonly name: string; readonly topicId: string }[];
  readonly ledger: Ledger;
}

/** One ladder from its beginning to its check: topics are filled, then each row has a go at them as a group of its own. */
export async function playLadder(ladder: Ladder, pace: LadderPace, parts: LadderParts): Promise<LadderFigures> {
  const { places, say, log, signal } = parts;
  say(`\n${ladder.name}: ${ladder.title}.`);
  await using topics = new Topics(places.brokers, log);
  await using destination = places.destination(ladder.target);
  const filled = await fill(ladder, pace, topics, parts);
  const url = await places.slow(ladder.target, { milliseconds: ladder.latencyMs, jitterMilliseconds: ladder.jitterMs });
  const rungs: RungFigures[] = [];
  for (const [index, rung] of ladder.rungs.entries()) {
    signal.throwIfAborted();
    const played = await playRung(
      ladder,
      rung,
      `${filled.id}-${index}`,
      { pace, filled, topics, destination, url },
      parts,
    );
    say(`  ${rung.name}: ${played.perSecond.toFixed(1)} messages/s`);
    rungs.push(played);
  }
  return { ladder: ladder.name, database: places.databases[ladder.target], isInOrder: destination.isInOrder, rungs };
}

/** Messages to the topics in turn, until all are acknowledged and the ledger knows them. */
async function fill(
  { topics: names, partitions, keys }: Ladder,
  { records }: LadderPace,
  topics: Topics,
  { log, signal, say }: LadderParts,
): Promise<Filled> {
  const id = randomUUID().slice(0, 8);
  const ledger = new Ledger();
  const made: { topic: string; name: string; topicId: string }[] = [];
  for (const topic of names) {
    const name = `${topic}-${id}`;
    const { topicId } = await topics.create(name, partitions);
    made.push({ topic, name, topicId });
  }
  say(`  filling ${names.join(", ")} with ${records} messages`);
  await using producer = await RecordProducer.open({ kafka: topics.kafka, log, signal });
  const padding = { valueBytes: VALUE_BYTES, compressibility: 0.5, seed: 1 };
  const sent: Promise<void>[] = [];
  for (let index = 0; index < records; index++) {
    const to = made[index % made.length];
    if (to === undefined) break;
    const place = Math.floor(index / made.length);
    const key = keys === 1 ? to.topic : `${to.topic}-${place % keys}`;
    const sequence = Math.floor(place / keys);
    const value = encodeValue({ kind: "live", key, sequence, createdAt: Date.now() }, index, padding);
    await producer.ready();
    const record = { key: Buffer.from(key, "latin1"), value, timestamp: Date.now() };
    sent.push(producer.send(to.name, record).then((at) => ledger.acknowledged(key, sequence, at)));
  }
  await Promise.all(sent);
  return { id, topics: made, ledger };
}

interface Stand {
  readonly pace: LadderPace;
  readonly filled: Filled;
  readonly topics: Topics;
  readonly destination: Destination;
  /** Of the database, by way of the proxy. */
  readonly url: string;
}

async function playRung(
  ladder: Ladder,
  rung: Rung,
  name: string,
  { pace, filled, topics, destination, url }: Stand,
  { places, guard, signal }: LadderParts,
): Promise<RungFigures> {
  const collection = `ladder-${name}`;
  await destination.make(collection);
  const group = `group-of-${collection}`;
  const { command, env, groups } = start(ladder, rung, { group, collection, filled, places, url });
  const child = new Child({ name: rung.name, command, env, guard });
  const isRunning = <T>(promise: Promise<T>): Promise<T> => Promise.race([promise, child.failed]);
  let rate: number;
  let ranDry: boolean;
  try {
    const giveUpAt = performance.now() + FIRST_DOCUMENT_MS;
    while ((await isRunning(destination.count(collection))) === 0) {
      signal.throwIfAborted();
      if (performance.now() > giveUpAt) throw new Error(`${rung.name} wrote nothing. ${child.lastLines()}`);
      await isRunning(sleep(LOOK_MS));
    }
    await isRunning(sleep(pace.warmupMs, undefined, { signal }));
    const first = await timed(destination.count(collection));
    await isRunning(sleep(pace.windowMs, undefined, { signal }));
    const last = await timed(destination.count(collection));
    rate = ((last.count - first.count) * 1_000) / (last.atMs - first.atMs);
    ranDry = last.count >= filled.ledger.count;
  } finally {
    await child.stop(STOP_GRACE_MS);
  }
  const committed = new Map<string, ReadonlyMap<number, bigint>>();
  for (const [index, { name: topic, topicId }] of filled.topics.entries()) {
    const reader = groups[index] ?? group;
    committed.set(topicId, await topics.committedOffsets(reader, topic, ladder.partitions));
  }
  const verdict = await filled.ledger.verdict(
    destination.documents(collection),
    ({ topicId = "", partition, offset }) => offset < (committed.get(topicId)?.get(partition) ?? 0n),
    rung.service === undefined ? originId : documentId,
  );
  await destination.drop(collection);
  return { rung, perSecond: rate, verdict, ranDry };
}

interface Wanted {
  readonly group: string;
  readonly collection: string;
  readonly filled: Filled;
  readonly places: LadderPlaces;
  readonly url: string;
}

/** The process of a row, and by topic the group that reads it. */
function start(ladder: Ladder, { service }: Rung, { group, collection, filled, places, url }: Wanted) {
  const names = filled.topics.map(({ name }) => name);
  const credentials = { AWS_ACCESS_KEY_ID: "local", AWS_SECRET_ACCESS_KEY: "local" };
  if (service === undefined) {
    const routes = names.map((topic) => `${topic}=${collection}`).join();
    const target =
      ladder.target === "mongodb"
        ? ["--mongo-url", url, "--database", DATABASE]
        : ["--target", "dynamodb", "--dynamo-endpoint", url, "--dynamo-region", "local"];
    const command = [
      ...[process.execPath, SPILLWAY, "sink", "--brokers", places.brokers.join(), "--route", routes],
      ...["--group", group, ...target],
    ];
    return {
      command: command as [string, ...string[]],
      env: { ...process.env, ...credentials },
      groups: names.map(() => group),
    };
  }
  const { consumers, ...writing } = service;
  // A consumer for each topic is a group of its own; several of one topic share it.
  const groups = names.map((_, index) => (consumers === "each" && names.length > 1 ? `${group}-${index}` : group));
  const each =
    names.length > 1
      ? names.map((topic, index) => ({ topics: [topic], group: groups[index] ?? group }))
      : Array.from({ length: ladder.partitions }, () => ({ topics: names, group }));
  const job: WriterJob = {
    ...writing,
    ...{ brokers: places.brokers, target: ladder.target, database: DATABASE, collection },
    consumers: consumers === "one" ? [{ topics: names, group }] : each,
  };
  const env = { ...process.env, ...credentials, SPILLWAY_WRITER_URL: url, KAFKAJS_NO_PARTITIONER_WARNING: "1" };
  return { command: [process.execPath, WRITER, JSON.stringify(job)] as [string, ...string[]], env, groups };
}

async function timed(counting: Promise<number>): Promise<{ readonly count: number; readonly atMs: number }> {
  const startedAt = performance.now();
  const count = await counting;
  return { count, atMs: (startedAt + performance.now()) / 2 };
}
