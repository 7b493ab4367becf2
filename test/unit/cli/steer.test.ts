import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../../helpers/kafka.ts";
import { SpillwayProcess } from "../../helpers/process.ts";

test("a word that was stopped on its way to the relay doesn't end as if it had been heard", async () => {
  // Nobody listens there.
  await using pausing = new SpillwayProcess(["pause", "prices", "--brokers", "127.0.0.1:1"]);
  await until("an attempt", async () => pausing.log.includes("trying again"));
  pausing.kill("SIGINT");
  assert.equal(await pausing.ended(5_000), 130, pausing.log);
});
