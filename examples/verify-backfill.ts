/** After a backfill: is every record of the hot topic in the relay's topics, once, in order, and nothing else? */
import { isProven, verify } from "spillway";
import { kafka, topics } from "./settings.ts";

const report = await verify({ kafka, sources: [topics.hot], targets: [topics.wide, topics.backfill] });

const { sourceRecords, targetRecords, missing, duplicated, outOfOrder, examples } = report;
console.log(
  JSON.stringify({ sourceRecords, targetRecords, missing, duplicated, outOfOrder, proven: isProven(report) }),
);
if (!isProven(report)) {
  console.error(examples);
  process.exitCode = 1;
}
