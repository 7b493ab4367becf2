import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { endOffsets } from "../../src/kafka/admin.ts";
import { Brokers } from "../../src/kafka/cluster.ts";
import { ERROR } from "../../src/kafka/error-codes.ts";
import { newProducerIdentity } from "../../src/kafka/producer-session.ts";
import { RecordProducer } from "../../src/kafka/record-producer.ts";
import { sequenceAfter } from "../../src/kafka/target-partition.ts";
import { Writer } from "../../src/kafka/writer.ts";
import { BatchBuilder, type NewRecord, type SealedBatch, stampBatch } from "../../src/record-batch/batch-builder.ts";
import { consume, kafkaOf, makeTopic, testLog, until } from "../helpers/kafka.ts";
import { randomOf, seeds } from "../helpers/seeds.ts";
import { testServices, uniqueName } from "../helpers/services.ts";
import { SocketWatch } from "../helpers/sockets.ts";
import { sendBatches, whenLed } from "../helpers/topics.ts";

const { brokers, java } = await testServices();
const kafka = kafkaOf(brokers);
const DEADLINE_MS = 60_000;
const LAST_SEQUENCE = 2 ** 31 - 1;

function numberedRecord(number: number): NewRecord {
  const value = Buffer.from(String(number));
  return { key: value.subarray(0, 3), value, timestamp: Date.now() };
}

/** A batch whose records have the numbers from `first` on for values. */
function numberedBatch(first: number, count: number): SealedBatch {
  const builder = new BatchBuilder();
  for (let number = first; number < first + count; number++) builder.append(numberedRecord(number));
  return builder.seal("none") ?? assert.fail("a batch without records");
}

/** What Kafka's own consumer finds in a topic whose values are numbers. */
async function javaNumbers(topic: string): Promise<{ ranges: number[][]; duplicates: number; misordered: number }> {
  const { code, stdout, stderr } = await java.runJavaSource("test/java/NumberedValues.java", [brokers.join(), topic]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as { ranges: number[][]; duplicates: number; misordered: number };
}

for (const seed of seeds(1)) {
  test(`a broker takes our sequence numbers over their largest value, and knows batches sent again (seed ${seed})`, async (t) => {
    t.diagnostic(`SPILLWAY_SEED=${seed}`);
    const random = randomOf(seed);
    const topic = uniqueName("wrap");
    // A broker accepts any first sequence of a producer it doesn't know in a partition. Each begins a little earlier, so
    // that the wrap falls behind a batch, before its last record, and so on.
    const partitions = 8;
    await makeTopic(kafka, { topic, partitions });
    await using connections = new Brokers(kafka, testLog);
    const limits = { signal: AbortSignal.timeout(DEADLINE_MS), deadlineMs: DEADLINE_MS };
    const producer = await newProducerIdentity(connections, limits);
    let written = 0;
    for (let partition = 0; partition < partitions; partition++) {
      let sequence = LAST_SEQUENCE - 3 - partition;
      let wrapped = 0;
      for (let offset = 0n; wrapped < 3; ) {
        const count = partition === 0 ? 4 : 1 + Math.floor(random() * 6);
        const batch = numberedBatch(written, count);
        stampBatch(batch, { ...producer, sequence });
        const [first, again] = await sendBatches(connections, topic, partition, [batch.bytes, batch.bytes]);
        const told = `${count} records from sequence ${sequence} on`;
        assert.deepEqual(first, { errorCode: ERROR.NONE, baseOffset: offset }, told);
        assert.deepEqual(again, first, `${told}, sent again`);
        const next = sequenceAfter(sequence, count);
        if (next < sequence || wrapped > 0) wrapped++;
        sequence = next;
        offset += BigInt(count);
        written += count;
      }
      // The check of the check: a gap is refused.
      const gap = numberedBatch(written, 1);
      stampBatch(gap, { ...producer, sequence: sequence + 1 });
      const [refused] = await sendBatches(connections, topic, partition, [gap.bytes]);
      assert.equal(refused?.errorCode, ERROR.OUT_OF_ORDER_SEQUENCE_NUMBER);
    }
    const read = await consume(kafka, topic, written);
    assert.equal(read.length, written);
    const ends = await endOffsets(connections, topic);
    assert.equal(
      [...ends.values()].reduce((sum, end) => sum + Number(end), 0),
      written,
    );
  });
}

test("a batch whose answer is lost is sent again, is in the log once, and is told where it lies there", async () => {
  const topic = uniqueName("lost-answer");
  const partitions = 3;
  await makeTopic(kafka, { topic, partitions });
  // Connected before the watch begins, so that it is not broken with the writer's.
  await using observer = new Brokers(kafka, testLog);
  await whenLed(() => endOffsets(observer, topic));
  using watch = new SocketWatch();
  await using writer = await Writer.open({ kafka, log: testLog, signal: AbortSignal.timeout(DEADLINE_MS) });
  const writeToAll = (first: number) =>
    Array.from({ length: partitions }, (_, partition) => writer.write(topic, partition, numberedBatch(first, 3)));
  await Promise.all(writeToAll(0));

  for (let round = 1; round <= 5; round++) {
    const end = BigInt(3 * round);
    watch.pause();
    const writing = Promise.all(writeToAll(Number(end)));
    await until("the records in the log", async () => {
      const ends = await endOffsets(observer, topic);
      return ends.values().every((one) => one === end + 3n);
    });
    watch.break();
    const written = await writing;
    assert.deepEqual(
      written.map(({ baseOffset }) => baseOffset),
      [end, end, end],
    );
    const ends = await endOffsets(observer, topic);
    assert.deepEqual([...ends.values()], [end + 3n, end + 3n, end + 3n]);
  }
});

for (const seed of seeds(1)) {
  test(`connections that break at any moment neither lose, double nor reorder records (seed ${seed})`, async (t) => {
    t.diagnostic(`SPILLWAY_SEED=${seed}`);
    const random = randomOf(seed);
    const topic = uniqueName("breaking");
    await makeTopic(kafka, { topic, partitions: 4 });
    const records = 20_000;
    let breaks = 0;
    using watch = new SocketWatch();
    {
      const signal = AbortSignal.timeout(DEADLINE_MS);
      await using producer = await RecordProducer.open({ kafka, log: testLog, signal, lingerMs: 1, batchBytes: 2_000 });
      // The number of partitions is asked once, by itself: what is shown is how records are written.
      const acknowledged: Promise<unknown>[] = [producer.send(topic, numberedRecord(0))];
      await acknowledged[0];
      for (let number = 1; number < records; number++) {
        if (number % 100 === 0) {
          await producer.ready();
          for (let turns = Math.floor(random() * 20); turns > 0; turns--) await nextTurn();
        }
        acknowledged.push(producer.send(topic, numberedRecord(number)));
        if (random() < 0.005) {
          breaks++;
          // Half of the time the answers that are on their way are lost first.
          if (random() < 0.5) watch.pause();
          for (let turns = Math.floor(random() * 20); turns > 0; turns--) await nextTurn();
          watch.break();
        }
      }
      await producer.flush();
      assert.equal((await Promise.allSettled(acknowledged)).filter(({ status }) => status === "rejected").length, 0);
    }
    t.diagnostic(`${breaks} breaks`);
    const { ranges, duplicates, misordered } = await javaNumbers(topic);
    assert.deepEqual({ ranges, duplicates, misordered }, { ranges: [[0, records - 1]], duplicates: 0, misordered: 0 });
  });
}
