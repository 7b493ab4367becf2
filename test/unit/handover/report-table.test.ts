import assert from "node:assert/strict";
import { test } from "node:test";
import type { HandBackReport } from "../../../src/handover/report.ts";
import { handBackTable, retirement } from "../../../src/handover/report-table.ts";

const REPORT: HandBackReport = {
  source: "prices",
  relayGroup: "spillway-relay-prices",
  to: "price-service",
  targets: [
    { topic: "prices.wide", readers: ["wide-service", "audit"] },
    { topic: "prices.backfill", readers: [] },
  ],
  how: "rewound",
  dryRun: false,
  partitions: [
    { partition: 0, before: 1_200n, after: 56_001n, end: 56_010n, again: 0n },
    { partition: 1, before: undefined, after: 7n, end: 1_000_000n, again: 1_234n },
  ],
  unreadRecords: 1_000,
  handledTwiceAtMost: 1_234n,
  uncommittedAtLeast: 0n,
  deadLetters: { topic: "prices.dead-letter", records: 2n },
};

test("the table says where the group was, is and could be, and what is handled again", () => {
  assert.equal(
    handBackTable(REPORT),
    `Set the offsets of group price-service in prices:
  partition  before   after        end  read again
          0   1,200  56,001     56,010           0
          1       -       7  1,000,000       1,234

1,000 records were relayed and not read. To miss none of them, up to 1,234 records are read again.
Read by:
  prices.wide: wide-service, audit
  prices.backfill: nobody, and nothing

prices.dead-letter holds up to 2 records that the relay could not read.`,
  );
  const { deadLetters: _, ...others } = REPORT;
  const drained = handBackTable({ ...others, how: "drained", dryRun: true, deadLetters: undefined });
  assert.match(drained, /^Would set the offsets/);
  assert.match(drained, /All that was relayed has been read/);
  assert.match(handBackTable({ ...REPORT, uncommittedAtLeast: 12n }), /^The relay had written at least 12 records/m);
});

test("how to retire the relay: commands that can be pasted, whatever the group is called", () => {
  const text = retirement({ ...REPORT, relayGroup: "it's a relay" }, ["a:9092", "b:9092"]);
  assert.deepEqual(
    text.split("\n").filter((line) => !line.startsWith("#")),
    [
      `kafka-consumer-groups.sh --bootstrap-server a:9092,b:9092 --delete --group 'it'\\''s a relay'`,
      "kafka-topics.sh --bootstrap-server a:9092,b:9092 --delete --topic prices.wide",
      "kafka-topics.sh --bootstrap-server a:9092,b:9092 --delete --topic prices.backfill",
    ],
  );
});
