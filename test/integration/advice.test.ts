import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { floodRate } from "../../bench/advice/figures.ts";
import { askAdvice, environmentOf, flagsOf, type Ground, startGroup } from "../../bench/advice/group.ts";
import { quietTopic } from "../../bench/quiet-topic.ts";
import { MongoStore, Proxies } from "../../bench/sink/stores.ts";
import { Reaper } from "../../services/reaper.ts";
import { kafkaOf, makeTopic, produceAll, testLog } from "../helpers/kafka.ts";
import { testServices, uniqueName } from "../helpers/services.ts";
import { MAIN } from "../helpers/spillway-command.ts";

const START = { timeout: 20 * 60_000 };
const EACH = { timeout: 5 * 60_000 };
/** Far more than the mis-set group writes while it is looked at. */
const RECORDS = 20_000;
/** So many times better: no slow moment of the machine makes up for it. */
const CLEARLY = 3;

describe("advice that is followed as it is printed", () => {
  const stack = new AsyncDisposableStack();
  let ground: Ground;
  let mongoUrl: string;

  before(async () => {
    const services = await testServices();
    mongoUrl = services.mongoUrl;
    ground = {
      ...{ cli: MAIN, kafka: kafkaOf(services.brokers), log: testLog, reaper: stack.use(new Reaper()) },
      store: stack.use(new MongoStore(mongoUrl)),
      proxies: new Proxies(services.toxiproxy, uniqueName("advice"), new URL(mongoUrl).host),
    };
  }, START);

  after(() => stack.disposeAsync(), EACH);

  it("batches of one by one writer, under a flood: it writes several times as much", EACH, async () => {
    const topic = uniqueName("flood");
    const { kafka } = ground;
    await makeTopic(kafka, { topic, partitions: 3 });
    const value = (i: number) => Buffer.from(JSON.stringify({ number: i, text: "x".repeat(100) }));
    await produceAll(
      kafka,
      topic,
      Array.from({ length: RECORDS }, (_, i) => ({
        key: Buffer.from(`key-${i % 500}`),
        value: value(i),
        timestamp: Date.now(),
      })),
    );
    const misSet = ["--batch-records", "1", "--writers", "1"];
    const measured = { records: RECORDS, warmupSeconds: 0.5, seconds: 3 };
    const group = { topic, latencyMs: 50 };

    const { report, rate } = await (async () => {
      await using running = await startGroup(ground, { ...group, args: misSet });
      const before = await floodRate(running, measured);
      return { report: await askAdvice(ground, running, 4), rate: before };
    })();
    const codes = report.advice.map(({ code }) => code);
    assert.ok(codes.includes("BATCH_SMALL") && codes.includes("WRITERS_FEW"), codes.join());
    assert.ok(report.seen.write !== undefined && report.seen.write.records === 1);

    await using advised = await startGroup(ground, { ...group, args: [...misSet, ...flagsOf(report)] });
    const after = await floodRate(advised, measured);
    assert.ok(after > CLEARLY * rate, `${rate} documents/s before, ${after} after`);
  });

  it(
    "a large fixed batch with a long time-out, on a quiet topic: records are there several times sooner",
    EACH,
    async () => {
      const topic = uniqueName("quiet");
      await makeTopic(ground.kafka, { topic, partitions: 3 });
      const misSet = ["--batching", "fixed", "--batch-records", "5000", "--batch-timeout-ms", "5000"];
      const group = { topic, latencyMs: 20 };
      const signal = AbortSignal.timeout(EACH.timeout);
      const { kafka, log } = ground;
      const quiet = { kafka, log, topic, recordsPerSecond: 4, keys: 4, mongoUrl, pollMs: 5, warmupMs: 1_000, signal };

      let report: Awaited<ReturnType<typeof askAdvice>> | undefined;
      const slow = await (async () => {
        await using running = await startGroup(ground, { ...group, args: misSet });
        const during = async () => {
          report = await askAdvice(ground, running, 6);
        };
        return await quietTopic({ ...quiet, place: running.place }, during);
      })();
      assert.ok(report !== undefined);
      assert.deepEqual(
        report.advice.map(({ code }) => code),
        ["BATCH_WAITS"],
      );

      const env = environmentOf(report);
      const args = ["--batch-records", "5000"];
      await using advised = await startGroup(ground, { ...group, args, env });
      const quick = await quietTopic({ ...quiet, place: advised.place }, () => pause(4_000));
      assert.ok(quick.p50Ms * CLEARLY < slow.p50Ms, `${slow.p50Ms} ms before, ${quick.p50Ms} ms after`);
    },
  );
});
