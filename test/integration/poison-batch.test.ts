/**
 * Batches that rot on a real broker's disk: a byte of its log is flipped, and the broker hands the batch out as it is,
 * since only clients check the CRC.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { startServices } from "../../services/services.ts";
import { DeadLetters } from "../../src/dead-letter/dead-letter.ts";
import { OFFSETS_HEADER, PART_HEADER } from "../../src/dead-letter/poison.ts";
import { ERROR_CODE_HEADER } from "../../src/dead-letter/reason.ts";
import { SpillwayError } from "../../src/errors.ts";
import { GroupMember } from "../../src/kafka/group-member.ts";
import { RecordProducer } from "../../src/kafka/record-producer.ts";
import { openSource } from "../../src/kafka/source.ts";
import type { NewRecord } from "../../src/record-batch/batch-builder.ts";
import * as layout from "../../src/record-batch/layout.ts";
import type { KafkaRecord } from "../../src/record-batch/records.ts";
import { RELAY_DEFAULTS, type RelayOptions } from "../../src/relay/options.ts";
import { runRelay } from "../../src/relay/relay.ts";
import { newRelayStats } from "../../src/relay/stats.ts";
import { insertModel } from "../../src/sink/models/insert.ts";
import { runSink } from "../../src/sink/sink.ts";
import { consume, groupOf, kafkaOf, makeTopic, testLog, until } from "../helpers/kafka.ts";
import { uniqueName } from "../helpers/services.ts";
import { MemoryTopic, memberOf, memoryGeneration, memoryParts, sinkOptions } from "../unit/sink/memory.ts";

const logs = mkdtempSync(join(tmpdir(), "poison-"));
const services = await startServices({ kafka: { config: { "log.dirs": logs } }, own: true });
const kafka = kafkaOf(services.brokers);
after(async () => {
  await services.stop();
  rmSync(logs, { recursive: true, force: true });
});

/** 30 records in three batches; the second, of offsets 10 to 19 and with large values, has a flipped bit. */
async function rotten(valueBytes = 100): Promise<{ hot: string; batch: Buffer }> {
  const hot = uniqueName("rotten");
  await makeTopic(kafka, { topic: hot, partitions: 1 });
  await using producer = await RecordProducer.open({
    ...{ kafka, log: testLog, signal: AbortSignal.timeout(30_000) },
    batchBytes: 2 ** 20, // each ten are one batch, however large
  });
  for (const [part, bytes] of [100, valueBytes, 100].entries()) {
    const records = Array.from({ length: 10 }, (_, i) => record(part * 10 + i, bytes));
    await Promise.all(records.map((one) => producer.send(hot, one)));
  }
  const file = join(logs, `${hot}-0`, "00000000000000000000.log");
  const log = await readFile(file);
  const start = log.readInt32BE(layout.BATCH_LENGTH) + layout.LENGTH_OVERHEAD;
  const end = start + log.readInt32BE(start + layout.BATCH_LENGTH) + layout.LENGTH_OVERHEAD;
  assert.equal(log.readBigInt64BE(start), 10n, "the second batch begins at offset 10");
  const batch = log.subarray(start, end);
  batch[batch.length - 20] = (batch[batch.length - 20] as number) ^ 1;
  await using handle = await open(file, "r+");
  await handle.write(batch, 0, batch.length, start);
  return { hot, batch: Buffer.from(batch) };
}

function record(i: number, valueBytes: number): NewRecord {
  const value = Buffer.from(JSON.stringify({ i, padding: "x".repeat(valueBytes) }));
  return { key: Buffer.from(`key-${i % 7}`), value, timestamp: 1_700_000_000_000 + i };
}

function relayOptions(source: string, options: Partial<RelayOptions>): RelayOptions {
  return { kafka, ...RELAY_DEFAULTS, source, target: `${source}-wide`, group: groupOf(`relay-${source}`), ...options };
}

function headerOf({ headers }: KafkaRecord, name: string): string {
  return String(headers.findLast(({ key }) => key === name)?.value);
}

function assertHolds(letters: readonly KafkaRecord[], batch: Buffer, topic: string): void {
  assert.ok(Buffer.concat(letters.map(({ value }) => value ?? Buffer.alloc(0))).equals(batch), "byte for byte");
  for (const [i, letter] of letters.entries()) {
    assert.equal(letter.topic, `${topic}.dead-letter`);
    assert.equal(headerOf(letter, ERROR_CODE_HEADER), "corrupt-batch");
    assert.equal(headerOf(letter, OFFSETS_HEADER), "10-19");
    assert.equal(headerOf(letter, PART_HEADER), `${i + 1}/${letters.length}`);
    assert.deepEqual([letter.origin?.partition, letter.origin?.offset], [0, 10n]);
  }
}

test("a relay told to stop there names topic, partition and offset, and commits nothing", async () => {
  const { hot } = await rotten();
  const options = relayOptions(hot, { poisonBatch: "stop" });
  await assert.rejects(runRelay(options, { signal: AbortSignal.timeout(30_000), log: testLog }), (error) => {
    assert.ok(error instanceof SpillwayError && error.code === "BATCH_CORRUPT");
    const { topic, partition, offset } = error.context;
    assert.deepEqual([topic, partition, offset], [hot, 0, 10n]);
    return true;
  });
  assert.equal(await committed(hot, `relay-${hot}`), -1n, "nothing behind it is committed");
});

for (const [size, valueBytes, parts] of [
  ["small", 100, 1],
  ["large", 95_000, 2],
] as const) {
  test(`a relay told so keeps a ${size} batch as dead letters, goes on behind it and commits the end`, async () => {
    const { hot, batch } = await rotten(valueBytes);
    const stop = new AbortController();
    const stats = newRelayStats();
    const options = relayOptions(hot, { poisonBatch: "dead-letter" });
    const running = runRelay(options, { signal: stop.signal, log: testLog, stats });
    await until("relaying", () => stats.recordsWritten >= 20);
    stop.abort();
    await running;
    assert.deepEqual([stats.recordsRead, stats.batchesDeadLettered], [20, 1]);
    const relayed = (await consume(kafka, options.target, 20)).map(({ origin }) => Number(origin?.offset));
    assert.deepEqual(
      relayed.toSorted((a, b) => a - b),
      [...range(0, 10), ...range(20, 30)],
    );
    assertHolds(await consume(kafka, `${hot}.dead-letter`, parts), batch, hot);
    assert.equal(await committed(hot, options.group.group), 30n);
  });
}

test("a sink told so keeps the batch too, and commits past it only once its dead letters are acknowledged", async () => {
  const { hot, batch } = await rotten();
  await makeTopic(kafka, { topic: `${hot}.dead-letter`, partitions: 1 });
  const { signal } = new AbortController();
  await using producer = await RecordProducer.open({ kafka, log: testLog, signal });
  const letters = new DeadLetters(producer);
  const topic = new MemoryTopic([]);
  const stop = new AbortController();
  await using member = new GroupMember({
    ...groupOf(`sink-${hot}`),
    kafka,
    topics: [hot],
    signal: stop.signal,
    log: testLog,
  });
  const held = Promise.withResolvers<void>();
  const parts = memoryParts(topic, memberOf(memoryGeneration([])), { model: insertModel(() => "c", "value") });
  const options = sinkOptions({ poisonBatch: "dead-letter" });
  const running = runSink(
    {
      ...parts,
      member,
      openSource: (positions, until) => openSource({ kafka, positions, signal: until, log: testLog }),
      deadLetters: {
        topicFor: (name) => letters.topicFor(name),
        send: () => Promise.reject(new Error("no record is bad")),
        sendBatch: async (poison, topicId) => {
          await held.promise;
          await letters.sendBatch(poison, topicId);
        },
      },
    },
    options,
  );
  await until("the records around it are written", () => parts.stats.recordsWritten === 20);
  // Asking takes many commit intervals, each of which would have taken it: all 30 are one slice.
  assert.equal(await committed(hot, `sink-${hot}`), -1n);
  assert.equal(parts.stats.batchesDeadLettered, 0);
  held.resolve();
  await until("the batch is buried", () => parts.stats.batchesDeadLettered === 1);
  stop.abort();
  await running;
  assertHolds(await consume(kafka, `${hot}.dead-letter`, 1), batch, hot);
  assert.equal(await committed(hot, `sink-${hot}`), 30n);
});

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

/** What the group has committed for partition 0, -1 for nothing, by Kafka's own tool. */
async function committed(topic: string, group: string): Promise<bigint> {
  const tool = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
  const args = ["--bootstrap-server", services.brokers.join(), "--describe", "--group", group];
  const { code, stdout, stderr } = await services.kafka.runTool(tool, args);
  assert.equal(code, 0, stderr);
  const row = stdout.split("\n").find((line) => line.includes(` ${topic} `));
  const offset = row?.trim().split(/\s+/)[3] ?? "-"; // which is how the tool writes that there is none
  return offset === "-" ? -1n : BigInt(offset);
}
