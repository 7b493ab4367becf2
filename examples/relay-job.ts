/** Relays what is in the hot topic now: the flood to a topic of its own, all else to one with many partitions. */
import { createRelay } from "spillway";
import { kafka, topics } from "./settings.ts";

await using relay = createRelay({
  kafka,
  source: topics.hot,
  target: topics.wide,
  partitions: 12,
  rules: [`header backfill -> ${topics.backfill}/24`],
  until: { kind: "now" },
});

const { errors, findings } = await relay.preflight();
if (errors > 0) throw new Error(findings.map(({ what, action }) => `${what} ${action}`).join("\n"));

const report = await relay.run();
console.log(JSON.stringify({ written: report?.recordsWritten, targets: report?.targets }));
