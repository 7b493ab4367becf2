/** For a script or a probe: says how far a group is behind, and ends with 1 if somebody should look. */
import { readLag } from "spillway";
import { kafka, topics } from "./settings.ts";

const { groups } = await readLag({
  kafka,
  groups: [process.argv[2] ?? `spillway-sink-${topics.wide}`],
  judge: { stalledAfterMs: 5_000 },
  signal: AbortSignal.timeout(60_000),
});

for (const { group, status, partitions } of groups) {
  console.log(JSON.stringify({ group, status, partitions: partitions.length }));
  if (status === "losing data" || status === "stalled") process.exitCode = 1;
}
