/**
 * Sinks of one group that come and go while their topic is written to without a pause and some of it is poison: for both
 * models; and a partition that is taken away while it is being written.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { kafkaOf, until } from "../helpers/kafka.ts";
import type { SpillwayProcess } from "../helpers/process.ts";
import { joinedOf } from "../helpers/relay-scene.ts";
import { randomOf, seeds } from "../helpers/seeds.ts";
import { testServices, uniqueName } from "../helpers/services.ts";
import { documentsOf } from "../helpers/sink-ledger.ts";
import { BOTH, type SinkModel, SinkScene } from "../helpers/sink-scene.ts";

const PARTITIONS = 6;
const DEADLINE_MS = 90_000;

const { brokers, mongoUrl, java, toxiproxy } = await testServices();
const { host } = new URL(mongoUrl);
const proxy = await toxiproxy.createProxy({ name: uniqueName("rebalances"), upstream: host });
after(() => proxy.delete());
const behind = mongoUrl.replace(host, proxy.address);
const places = { partitions: PARTITIONS, kafka: kafkaOf(brokers), java, mongoUrl: behind, ledgerUrl: mongoUrl };

async function shares(members: readonly SpillwayProcess[]): Promise<void> {
  const wanted = PARTITIONS / members.length;
  const isDealt = () => members.every((member) => joinedOf(member).partitions === wanted);
  await until(`a share of ${wanted} for each of ${members.length}`, isDealt, DEADLINE_MS);
}

for (const seed of seeds(1)) {
  test(`seed ${seed}: three sinks that join and leave, and one that freezes beyond its session, keep all in order`, async (t) => {
    const random = randomOf(seed);
    const slow = await proxy.addLatency({ milliseconds: 20 });
    await using scene = await SinkScene.open({ ...places, name: "rebalances", recordsPerSecond: 300 });
    const groups = new Map<SinkModel, SpillwayProcess[]>(BOTH.map((model) => [model, [scene.start(model)]]));
    const each = (act: (members: SpillwayProcess[], model: SinkModel) => Promise<unknown>) =>
      Promise.all([...groups].map(([model, members]) => act(members, model)));
    await scene.progress(100);
    for (const step of ["join", "freeze", "leave"] as const) {
      await sleep(random() * 200);
      await each(async (members, model) => {
        if (step === "join") members.push(scene.start(model), scene.start(model));
        else if (step === "leave") await members.shift()?.stop();
        else {
          // The zombie wakes with records in hand that others have read by then.
          const [, zombie] = members as [SpillwayProcess, SpillwayProcess];
          const others = members.filter((member) => member !== zombie);
          zombie.kill("SIGSTOP");
          await shares(others);
          zombie.kill("SIGCONT");
        }
        await shares(members);
      });
      await scene.progress(100);
    }
    await scene.finish();
    await each((members) => Promise.all(members.map((member) => member.stop())));
    await proxy.remove(slow);
    await scene.assertInOrder();
    t.diagnostic(`${scene.sent} records`);
  });
}

test("a partition that is taken away in the middle of a write is drained first, or abandoned and not committed", async (t) => {
  const slow = await proxy.addLatency({ milliseconds: 700 });
  await using scene = await SinkScene.open({ ...places, name: "revokes", recordsPerSecond: 500 });
  const patient = ["--write-timeout-ms", "10000", "--server-selection-timeout-ms", "10000"];
  const hasty = [...patient, "--drain-deadline-ms", "200"];
  const first = { insert: scene.start("insert", ...patient), latest: scene.start("latest", ...hasty) };
  await until("full buffers", () => scene.sent > 3_000);
  await scene.progress(1);
  const second = { insert: scene.start("insert", ...patient), latest: scene.start("latest", ...hasty) };
  for (const model of BOTH) await shares([first[model], second[model]]);
  const rest = [first.insert, first.latest, second.insert, second.latest];
  assert.doesNotMatch(first.insert.log, /not everything was written/);
  assert.match(first.latest.log, /not everything was written: it will be read again/);
  await proxy.remove(slow);
  await scene.finish();
  for (const sink of rest) await sink.stop();
  await scene.assertInOrder();
  const { length } = await documentsOf(mongoUrl, scene.database, "insert");
  t.diagnostic(`${scene.sent} records, ${length} documents`);
});
