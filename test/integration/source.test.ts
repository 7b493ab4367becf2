import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { type Logger, pino } from "pino";
import { Brokers } from "../../src/kafka/cluster.ts";
import { type Isolation, LATEST, offsetsAt } from "../../src/kafka/offsets.ts";
import { type FetchedPartition, type FetchOptions, type LostOffsets, openSource } from "../../src/kafka/source.ts";
import { type Position, partitionKey } from "../../src/kafka/topic-partition.ts";
import { readRecords } from "../../src/record-batch/records.ts";
import { batchOf } from "../helpers/batches.ts";
import { kafkaOf, makeTopic, startOf, testLog, until } from "../helpers/kafka.ts";
import { randomOf, seeds } from "../helpers/seeds.ts";
import { testServices, uniqueName } from "../helpers/services.ts";
import { SocketWatch } from "../helpers/sockets.ts";
import { deleteRecordsBefore, deleteTopic, sendBatches, whenLed } from "../helpers/topics.ts";

const { brokers, java } = await testServices();
const kafka = kafkaOf(brokers);
const DEADLINE_MS = 60_000;
const MIB = 1024 * 1024;
/** For batches that are larger than a broker takes unless told. */
const LARGE_BATCHES = { "max.message.bytes": String(8 * MIB) };

/** Writes batches of one record each, with a value of so many bytes. */
async function writeBatches(topic: string, partition: number, count: number, bytes: number): Promise<void> {
  await using connections = new Brokers(kafka, testLog);
  const batch = batchOf([{ key: null, value: Buffer.alloc(bytes, "v"), timestamp: Date.now() }]);
  const answers = await sendBatches(connections, topic, partition, new Array<Buffer>(count).fill(batch));
  for (const { errorCode } of answers) assert.equal(errorCode, 0);
}

async function beginsOf(topic: string): Promise<readonly Position[]> {
  return await whenLed(() => startOf(kafka, topic));
}

/** Behind the last record of each partition, or where transactions that are open hold a reader back. */
async function endsOf(topic: string, isolation: Isolation = "read_uncommitted"): Promise<readonly Position[]> {
  await using connections = new Brokers(kafka, testLog);
  return await whenLed(async () => offsetsAt(connections, await startOf(kafka, topic), LATEST, isolation));
}

/** The parts that come from some positions on, in the order they come, until every partition is read to its end. */
async function* partsUntil(
  ends: readonly Position[],
  positions: readonly Position[],
  fetch: Partial<FetchOptions> = {},
): AsyncGenerator<FetchedPartition, void, undefined> {
  const left = new Map(ends.map((end) => [partitionKey(end), end.offset]));
  const note = (place: { topic: string; partition: number }, offset: bigint) => {
    if (offset >= (left.get(partitionKey(place)) ?? 0n)) left.delete(partitionKey(place));
    return left.size === 0;
  };
  let done = left.size === 0;
  for (const position of positions) done = note(position, position.offset);
  if (done) return;
  const signal = AbortSignal.timeout(DEADLINE_MS);
  for await (const part of openSource({ kafka, positions, signal, log: testLog, fetch })) {
    yield part;
    if (note(part, part.nextOffset)) return;
  }
  assert.fail(`not within ${DEADLINE_MS} ms to the end of ${[...left.keys()].join(", ")}`);
}

/** What a reader with small responses meets when records leave the log while it reads. */
class LossyReading {
  readonly offsets: bigint[] = [];
  readonly losses: LostOffsets[] = [];
  readonly logged: Record<string, unknown>[] = [];
  readonly #log: Logger = pino({ level: "error" }, { write: (line) => this.logged.push(JSON.parse(line)) });

  /** Reads a partition up to `last`; when ten records have come, all before `cut` are deleted. */
  async run(
    position: Position,
    outOfRange: FetchOptions["outOfRange"],
    last: bigint,
    { cut, onLost }: { readonly cut?: bigint; readonly onLost?: () => void },
  ): Promise<void> {
    const source = openSource({
      kafka,
      positions: [position],
      signal: AbortSignal.timeout(DEADLINE_MS),
      log: this.#log,
      // A few batches ahead and no more: what is to be deleted must not have been fetched.
      fetch: { outOfRange, partitionBytes: 1_100, queuedBytes: 3_000 },
      onLost: (lost) => {
        this.losses.push(lost);
        onLost?.();
      },
    });
    for await (const part of source) {
      for (const { offset } of readRecords(part)) this.offsets.push(offset);
      if (this.offsets.length === 10 && cut !== undefined) {
        await deleteRecordsBefore(kafka, position.topic, position.partition, cut);
      }
      if (this.offsets.at(-1) === last) return;
    }
    assert.fail(`offset ${last} did not come within ${DEADLINE_MS} ms`);
  }
}

async function hundredBatches(): Promise<Position> {
  const topic = uniqueName("retention");
  await makeTopic(kafka, { topic, partitions: 2 });
  await writeBatches(topic, 1, 100, 1_000);
  return (await beginsOf(topic))[1] ?? assert.fail("no partition 1");
}

function range(from: bigint, to: bigint): bigint[] {
  return Array.from({ length: Number(to - from) }, (_, i) => from + BigInt(i));
}

test("what retention deletes before it is read is lost loudly, is counted, and the rest comes", async () => {
  const position = await hundredBatches();
  const { topic, partition } = position;
  const reading = new LossyReading();
  await reading.run(position, "earliest", 99n, { cut: 60n });
  const from = reading.losses[0]?.from ?? assert.fail("nobody was told of the loss");
  assert.ok(from >= 10n && from < 60n, `lost from ${from} on`);
  assert.deepEqual(reading.losses, [{ topic, partition, from, to: 60n }]);
  assert.deepEqual(reading.offsets, [...range(0n, from), ...range(60n, 100n)]);
  assert.equal(reading.logged.length, 1);
  const [{ msg, topic: inTopic, partition: inPartition, offset, goesOnAt, lostOffsets } = {}] = reading.logged;
  assert.match(String(msg), /RECORDS LOST/);
  assert.deepEqual([inTopic, inPartition, offset, goesOnAt], [topic, partition, String(from), "60"]);
  assert.equal(lostOffsets, String(60n - from));
});

test("told to go on at the latest, it counts as lost what it passes over, too", async () => {
  const position = await hundredBatches();
  const { topic, partition } = position;
  const reading = new LossyReading();
  const { promise: more, resolve: told } = Promise.withResolvers<void>();
  const writing = more.then(() => writeBatches(topic, partition, 5, 1_000));
  await reading.run(position, "latest", 104n, { cut: 60n, onLost: told });
  await writing;
  const from = reading.losses[0]?.from ?? assert.fail("nobody was told of the loss");
  assert.deepEqual(reading.losses, [{ topic, partition, from, to: 100n }]);
  assert.deepEqual(reading.offsets, [...range(0n, from), ...range(100n, 105n)]);
  assert.equal(reading.logged[0]?.["lostOffsets"], String(100n - from));
});

test("told to stop, it gives what it has and then says where the log now begins", async () => {
  const position = await hundredBatches();
  const { topic, partition } = position;
  const reading = new LossyReading();
  await assert.rejects(
    reading.run(position, "stop", 99n, { cut: 60n }),
    (error: { code: string; context: Partial<Position> }) => {
      assert.equal(error.code, "OFFSET_OUT_OF_RANGE");
      const { context } = error;
      const offset = BigInt(reading.offsets.length);
      assert.deepEqual([context.topic, context.partition, context.offset], [topic, partition, offset]);
      assert.match(String(error), /60 to 100/);
      return true;
    },
  );
  assert.deepEqual(reading.offsets, range(0n, BigInt(reading.offsets.length)));
  assert.ok(reading.offsets.length >= 10);
});

test("an offset behind the end of the log is said and loses nothing", async () => {
  const position = await hundredBatches();
  const reading = new LossyReading();
  await reading.run({ ...position, offset: 1_000n }, "earliest", 99n, {});
  assert.deepEqual(reading.offsets, range(0n, 100n));
  assert.deepEqual(reading.losses, []);
  assert.match(String(reading.logged[0]?.["msg"]), /not in the log/);
});

test("a topic that is deleted and made anew under the reader ends it by name, behind what it had fetched", async () => {
  const topic = uniqueName("anew");
  const { topicId } = await makeTopic(kafka, { topic, partitions: 3 });
  await writeBatches(topic, 2, 5, 1_000);
  const positions = await beginsOf(topic);
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const offsets: bigint[] = [];
  const reading = (async () => {
    for await (const part of openSource({ kafka, positions, signal, log: testLog })) {
      for (const { offset } of readRecords(part)) offsets.push(offset);
    }
  })();
  const ended = assert.rejects(reading, (error: { code: string; context: Partial<Position> }) => {
    assert.equal(error.code, "TOPIC_RECREATED");
    assert.equal(error.context.topic, topic);
    assert.match(String(error), new RegExp(topicId));
    return true;
  });
  await until("the first topic's records", () => offsets.length === 5);
  await deleteTopic(kafka, topic);
  await makeTopic(kafka, { topic, partitions: 3 });
  // The new topic holds the very offset the reader asks for: only its id tells them apart.
  await writeBatches(topic, 2, 10, 1_000);
  await ended;
  assert.deepEqual(offsets, range(0n, 5n));
});

test("no partition waits long for the others: not for a flood, an oversized batch, or another topic", async () => {
  const [busy, quiet] = [uniqueName("busy"), uniqueName("quiet")];
  await makeTopic(kafka, { topic: busy, partitions: 6 });
  await makeTopic(kafka, { topic: quiet, partitions: 3, config: LARGE_BATCHES });
  // The first partition of the busy topic stays empty: it never gets a turn, and so never loses its place in the order.
  for (let partition = 1; partition < 6; partition++) await writeBatches(busy, partition, 60, 15_000);
  await writeBatches(quiet, 0, 20, 4_000);
  await writeBatches(quiet, 1, 5, 1_000);
  await writeBatches(quiet, 1, 1, 3 * MIB);
  await writeBatches(quiet, 1, 5, 1_000);
  await writeBatches(quiet, 2, 20, 10_000);

  const positions = [...(await beginsOf(busy)), ...(await beginsOf(quiet))];
  const ends = [...(await endsOf(busy)), ...(await endsOf(quiet))];
  // A response has room for four partitions of the nine.
  const fetch = { partitionBytes: 16 * 1024, responseBytes: 64 * 1024 };
  const arrivals: string[] = [];
  for await (const part of partsUntil(ends, positions, fetch)) arrivals.push(partitionKey(part));

  for (const place of new Set(arrivals)) {
    const turns = arrivals.flatMap((arrived, i) => (arrived === place ? [i] : []));
    for (const [i, turn] of turns.entries()) {
      const between = arrivals.slice(i === 0 ? 0 : (turns[i - 1] ?? 0) + 1, turn);
      const most = Math.max(
        0,
        ...Map.groupBy(between, (other) => other)
          .values()
          .map(({ length }) => length),
      );
      assert.ok(
        most <= positions.length,
        `${place} waited for ${most} turns of another partition: ${arrivals.join(" ")}`,
      );
    }
  }
});

test("a batch larger than every limit comes through, first in its partition and behind others", async () => {
  const topic = uniqueName("oversized");
  await makeTopic(kafka, { topic, partitions: 2, config: LARGE_BATCHES });
  await writeBatches(topic, 0, 2, 5 * MIB);
  await writeBatches(topic, 0, 1, 10);
  await writeBatches(topic, 1, 50, 500);
  const fetch = { partitionBytes: 700, responseBytes: 1_400, queuedBytes: 2_000 };
  const sizes: number[] = [];
  for await (const part of partsUntil(await endsOf(topic), await beginsOf(topic), fetch)) {
    for (const { value, partition } of readRecords(part)) if (partition === 0) sizes.push(value?.length ?? -1);
  }
  assert.deepEqual(sizes, [5 * MIB, 5 * MIB, 10]);
});

test("what is fetched ahead is bounded over all partitions, whether nobody pulls or somebody does", async () => {
  const topic = uniqueName("bounded");
  await makeTopic(kafka, { topic, partitions: 4 });
  for (let partition = 0; partition < 4; partition++) await writeBatches(topic, partition, 60, 50_000);
  const positions = await beginsOf(topic);
  const ends = await endsOf(topic);
  const fetch = { partitionBytes: 100 * 1024, responseBytes: 300 * 1024, queuedBytes: MIB };
  // One broker: one response more than the queue holds, and some bytes that are no records.
  const most = fetch.queuedBytes + fetch.responseBytes + 32 * 1024;

  await using others = new Brokers(kafka, testLog);
  await others.topics([topic]);
  using watch = new SocketWatch();
  let pulled = 0;
  let parts = 0;
  for await (const { batches } of partsUntil(ends, positions, fetch)) {
    pulled += batches.length;
    parts++;
    if (parts % 10 === 1 && pulled < 8 * MIB) {
      // It fetches ahead as far as it may; then the broker has time for answers to others, and none for it.
      await until("fetching ahead", () => watch.bytesRead - pulled >= fetch.queuedBytes);
      for (let i = 0; i < 20; i++) await others.topics([topic]);
    }
    const ahead = watch.bytesRead - pulled;
    assert.ok(ahead <= most, `${ahead} bytes are fetched ahead`);
  }
  assert.ok(pulled > 4 * 60 * 50_000, `only ${pulled} bytes came`);
});

/** From where and how a partition is read, and what Kafka's own consumer gives then. */
interface View {
  readonly isolation: Isolation;
  readonly position: Position;
}

interface ViewContent {
  readonly records: number;
  readonly end: number;
  readonly digest: string;
}

async function javaViews(topic: string, views: readonly View[]): Promise<readonly ViewContent[]> {
  const asked = views.map(({ isolation, position }) => `${isolation}/${position.partition}/${position.offset}`);
  const { code, stdout, stderr } = await java.runJavaSource("test/java/IsolatedViews.java", [
    brokers.join(),
    topic,
    ...asked,
  ]);
  assert.equal(code, 0, stderr);
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as ViewContent);
}

/** What our source gives of several partitions at once, each up to the end the Java consumer found. */
async function ourViews(
  positions: readonly Position[],
  ends: readonly number[],
  fetch: Partial<FetchOptions>,
): Promise<readonly ViewContent[]> {
  const digests = positions.map(() => createHash("sha256"));
  const counts = positions.map(() => 0);
  const wanted = positions.map((position, i) => ({ ...position, offset: BigInt(ends[i] ?? 0) }));
  for await (const part of partsUntil(wanted, positions, fetch)) {
    const i = positions.findIndex(({ partition }) => partition === part.partition);
    assert.ok(part.nextOffset <= BigInt(ends[i] ?? 0), `reads on to ${part.nextOffset} behind the end ${ends[i]}`);
    for (const { offset, key, value } of readRecords(part)) {
      const place = Buffer.alloc(8);
      place.writeBigInt64BE(offset);
      digests[i]?.update(place).update(sized(key)).update(sized(value));
      counts[i] = (counts[i] ?? 0) + 1;
    }
  }
  return positions.map((_, i) => ({
    records: counts[i] ?? 0,
    end: ends[i] ?? 0,
    digest: digests[i]?.digest("hex") ?? "",
  }));
}

function sized(bytes: Buffer | null): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(bytes?.length ?? -1);
  return Buffer.concat([length, bytes ?? Buffer.alloc(0)]);
}

/**
 * Compares what the Java consumer and our source give of every partition, from the beginning and from offsets in the
 * middle, in large and in small responses. Returns how many records each isolation level gives from the beginning.
 */
async function compareViews(topic: string, random: () => number): Promise<ReadonlyMap<Isolation, number>> {
  const begins = await beginsOf(topic);
  const highest = await endsOf(topic);
  const readings: { isolation: Isolation; positions: readonly Position[]; partitionBytes: number }[] = [
    { isolation: "read_committed", positions: begins, partitionBytes: MIB },
    { isolation: "read_uncommitted", positions: begins, partitionBytes: MIB },
  ];
  for (let i = 0; i < 14; i++) {
    const isolation = i % 7 === 6 ? "read_uncommitted" : "read_committed";
    // Of one byte: a batch at a time.
    const partitionBytes = [1, 400, 1_500, 6_000][i % 4] ?? 1;
    const positions = highest.map((end) => ({ ...end, offset: BigInt(Math.floor(random() * Number(end.offset))) }));
    readings.push({ isolation, positions: i === 0 ? begins : positions, partitionBytes });
  }
  const views = readings.flatMap(({ isolation, positions }) => positions.map((position) => ({ isolation, position })));
  const expected = await javaViews(topic, views);
  for (const [i, { isolation, positions, partitionBytes }] of readings.entries()) {
    const theirs = expected.slice(i * positions.length, (i + 1) * positions.length);
    const ends = theirs.map(({ end }) => end);
    const fetch = { isolation, partitionBytes, responseBytes: 3 * partitionBytes };
    const from = positions.map(({ offset }) => offset).join(", ");
    assert.deepEqual(await ourViews(positions, ends, fetch), theirs, `${isolation} from ${from} by ${partitionBytes}`);
  }
  const count = (i: number) =>
    expected.slice(i * begins.length, (i + 1) * begins.length).reduce((sum, { records }) => sum + records, 0);
  return new Map([
    ["read_committed", count(0)],
    ["read_uncommitted", count(1)],
  ]);
}

for (const seed of seeds(1)) {
  test(`read_committed gives what Kafka's Java consumer gives, wherever it begins (seed ${seed})`, async (t) => {
    t.diagnostic(`SPILLWAY_SEED=${seed}`);
    const random = randomOf(seed);
    const [topic, control] = [uniqueName("transactions"), uniqueName("control")];
    const partitions = 3;
    await makeTopic(kafka, { topic, partitions, config: { "retention.ms": "-1" } });
    await makeTopic(kafka, { topic: control, partitions: 2 });
    const args = [brokers.join(), topic, String(partitions), control, String(seed)];
    const writing = java.runJavaSource("test/java/Transactions.java", args, { timeoutMs: 100_000 });
    writing.catch(() => {});

    const written = until("the transactions", async () => (await endsOf(control))[0]?.offset === 1n, 90_000);
    await Promise.race([
      written,
      writing.then(({ stderr }) => assert.fail(`the transactions were not written: ${stderr}`)),
    ]);
    const held = await compareViews(topic, random);
    const stableEnds = await endsOf(topic, "read_committed");
    const allEnds = await endsOf(topic);
    for (const [i, { offset }] of stableEnds.entries()) {
      assert.ok(offset < (allEnds[i]?.offset ?? 0n), `nothing is held back in partition ${i}`);
    }

    await writeBatches(control, 1, 1, 1);
    const { code, stderr } = await writing;
    assert.equal(code, 0, stderr);
    const ended = await compareViews(topic, random);
    assert.deepEqual(await endsOf(topic, "read_committed"), await endsOf(topic));
    t.diagnostic(
      `records while transactions were open: ${JSON.stringify([...held])}, at the end: ${JSON.stringify([...ended])}`,
    );
    assert.ok((held.get("read_committed") ?? 0) < (ended.get("read_committed") ?? 0));
    assert.ok((ended.get("read_committed") ?? 0) < (ended.get("read_uncommitted") ?? 0));
  });
}
