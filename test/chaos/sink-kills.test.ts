/**
 * Sinks of both models are SIGKILLed at seeded random moments, while their topic is written to without a pause and some of it
 * is poison. SPILLWAY_KILLS says how often: 30 make the long form, which wants SPILLWAY_TEST_FILE_LIMIT_S=3600.
 */
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createToxiproxyClient } from "../../services/toxiproxy/client.ts";
import { kafkaOf, until } from "../helpers/kafka.ts";
import type { SpillwayProcess } from "../helpers/process.ts";
import { joinedOf } from "../helpers/relay-scene.ts";
import { randomOf, seeds } from "../helpers/seeds.ts";
import { testServices, uniqueName } from "../helpers/services.ts";
import { BOTH, type SinkModel, SinkScene } from "../helpers/sink-scene.ts";

const KILLS = Number(process.env["SPILLWAY_KILLS"] ?? 4);
const RECORDS_PER_SECOND = 400;
const DEADLINE_MS = 60_000;
const LATENCY_MS = 20;

const { brokers, mongoUrl, java, toxiproxy } = await testServices();
const { host } = new URL(mongoUrl);
const proxy = await createToxiproxyClient(toxiproxy.url).createProxy({ name: uniqueName("kills"), upstream: host });
after(() => proxy.delete());

for (const seed of seeds(1)) {
  test(`seed ${seed}: sinks killed ${KILLS} times lose nothing and write nothing twice, out of order or over newer state`, async (t) => {
    const random = randomOf(seed);
    // There is something under way at every moment.
    await proxy.addLatency({ milliseconds: LATENCY_MS });
    const url = mongoUrl.replace(host, proxy.address);
    await using scene = await SinkScene.open({
      ...{ name: "kills", partitions: 3, kafka: kafkaOf(brokers), java },
      ...{ mongoUrl: url, ledgerUrl: mongoUrl, recordsPerSecond: RECORDS_PER_SECOND },
    });
    // A static member: its partitions wait for its return.
    const start = (model: SinkModel) => scene.start(model, "--instance-id", "steady");
    const sinks = new Map<SinkModel, SpillwayProcess>(BOTH.map((model) => [model, start(model)]));
    for (let kills = 0; kills < KILLS; kills++) {
      await scene.progress(50 + random() * 300);
      await sleep(random() * 150);
      await Promise.all([...sinks.values()].map((sink) => sink.crash()));
      for (const model of BOTH) sinks.set(model, start(model));
      // Now and then one doesn't even come to its work.
      if (random() < 0.2) {
        await sleep(random() * 1_500);
        await sinks.get("latest")?.crash();
        sinks.set("latest", start("latest"));
      }
      await until(
        "members again",
        () => BOTH.every((model) => joinedOf(sinks.get(model) as SpillwayProcess).generation >= 0),
        DEADLINE_MS,
      );
      // For whoever waits for the long form, the runner among them.
      process.stdout.write(`seed ${seed}: kill ${kills + 1} of ${KILLS}, ${scene.sent} records\n`);
    }
    await scene.finish();
    for (const sink of sinks.values()) await sink.stop();
    await scene.assertInOrder();
    t.diagnostic(`${scene.sent} records`);
  });
}
