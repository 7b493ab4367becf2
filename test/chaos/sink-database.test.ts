/**
 * A database that is killed and started again, cut off, frozen, slow: before it sinks of both models, while their topic is
 * written to without a pause and some of it is poison.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startServices } from "../../services/services.ts";
import { kafkaOf, until } from "../helpers/kafka.ts";
import { joinedOf } from "../helpers/relay-scene.ts";
import { testServices } from "../helpers/services.ts";
import { documentsOf } from "../helpers/sink-ledger.ts";
import { BOTH, SinkScene } from "../helpers/sink-scene.ts";

const { brokers, java } = await testServices();
const own = await startServices({ own: true, mongo: true, toxiproxy: true });
after(() => own.stop());
const { host } = new URL(own.mongoUrl);
const proxy = await own.toxiproxy.createProxy({ name: "database", upstream: host });
const behind = own.mongoUrl.replace(host, proxy.address);
const places = { partitions: 3, kafka: kafkaOf(brokers), java, mongoUrl: behind, ledgerUrl: own.mongoUrl };

/** Long enough for the breakers to open: attempts fail at once, or after the write's time-out. */
const OUTAGE_MS = 2_000;
const FREEZE_MS = 10_000;

test("a database that is killed, cut off and frozen costs no record, no order, no state and no membership", async (t) => {
  await using scene = await SinkScene.open({ ...places, name: "outages", recordsPerSecond: 300 });
  const sinks = BOTH.map((model) => scene.start(model));
  await scene.progress(200);
  const generations = sinks.map((sink) => joinedOf(sink).generation);

  const { databaseControl: database } = own;
  await database.kill("SIGKILL");
  await sleep(OUTAGE_MS);
  await database.start();
  await scene.progress(300);

  await proxy.cut();
  await sleep(OUTAGE_MS);
  await proxy.restore();
  await scene.progress(300);

  database.freeze();
  const frozen = await Promise.all(BOTH.map((model) => scene.committed(model)));
  await sleep(FREEZE_MS);
  database.thaw();
  await scene.progress(300);

  await scene.finish();
  t.diagnostic(`${scene.sent} records, ${frozen.join(" and ")} committed when it froze`);
  for (const [i, sink] of sinks.entries()) {
    assert.equal(joinedOf(sink).generation, generations[i], "a member all the while");
    assert.match(sink.log, /the database is away: trying until it is back/);
    await sink.stop();
  }
  await scene.assertInOrder();
});

test("a sink that is stopped with a full buffer before a slow database drains it, or leaves it to be read again", async (t) => {
  await using scene = await SinkScene.open({ ...places, name: "stops", recordsPerSecond: 1_000 });
  const slow = await proxy.addLatency({ milliseconds: 700 });
  // Its time-outs are longer than that: it is no outage.
  const full = ["--write-timeout-ms", "10000", "--server-selection-timeout-ms", "10000"];
  const [first, hasty] = [scene.start("insert", ...full), scene.start("latest", ...full, "--drain-deadline-ms", "200")];
  await scene.progress(1);
  await until("full buffers", () => scene.sent > 4_000);
  await Promise.all([first.stop(), hasty.stop()]); // which asserts that they end with 0
  const committed = await scene.committed("insert");
  const written = await documentsOf(own.mongoUrl, scene.database, "insert");
  const poison = committed - written.length;
  assert.doesNotMatch(first.log, /not everything was written/);
  assert.ok(poison >= 0 && poison <= committed / 50, `${committed} committed, ${written.length} written`);
  assert.match(hasty.log, /not everything was written: it will be read again/);
  t.diagnostic(`drained to ${committed}; in haste to ${await scene.committed("latest")}`);

  await proxy.remove(slow);
  const next = BOTH.map((model) => scene.start(model));
  await scene.finish();
  for (const sink of next) await sink.stop();
  await scene.assertInOrder();
});
