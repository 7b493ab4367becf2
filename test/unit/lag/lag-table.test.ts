import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { LagScreen } from "../../../src/cli/lag-screen.ts";
import { lagTable } from "../../../src/lag/lag-table.ts";
import {
  type GroupLagReport,
  isInTrouble,
  type LagReport,
  type PartitionLagReport,
  worstFirst,
} from "../../../src/lag/report.ts";
import { groupLag, lagReport, partitionLag } from "../../helpers/registries.ts";

function partitionOf(partition: number, part: Partial<PartitionLagReport> = {}): PartitionLagReport {
  return partitionLag({ partition, arrival: { perSecond: 1_234.5, seconds: 60, by: "looks" }, ...part });
}

function reportOf(groups: Partial<GroupLagReport>[], report: Partial<LagReport> = {}): LagReport {
  return lagReport(
    groups.map((part) => groupLag(part)),
    report,
  );
}

test("the table says what is known, marks estimates, and gives reasons where something is wrong", () => {
  const estimated = { messages: 12_345, exact: false, atMost: 20_000 };
  const stalled = partitionOf(11, { status: "stalled", reason: "it stands", messages: estimated, seconds: undefined });
  const standing = { ...stalled, catchUp: { kind: "never" }, untilDeleted: { kind: "unknown", why: "" } } as const;
  const groups = [
    { status: "stalled", partitions: [partitionOf(0), standing], messages: estimated, uncommitted: 1 },
  ] as const;
  const table = lagTable(reportOf([...groups], { unseen: [{ what: "group x", why: "not allowed" }] }));
  assert.deepEqual(table.split("\n"), [
    "app: stalled, ~12,345 waiting, 4 s behind, 1 member; nothing committed in 1 partition",
    "  topic   partition  status      waiting  age   in/s  out/s   caught up in  deleted in",
    "  prices          0  keeping up       12  4 s  1,235     17  30 s to 4 min         2 h",
    "  prices         11  stalled     ~12,345    ?  1,235     17          never           ?",
    "      it stands",
    "",
    "Not seen: group x: not allowed",
  ]);
  assert.match(lagTable(reportOf([])), /^No group has committed anything\.$/);
  assert.match(
    lagTable(reportOf([{ partitions: [], status: "idle", members: 0 }])),
    /^app: has committed nothing, 0 members$/,
  );
});

test("it is in trouble where records are lost, a reader stands or nothing is seen, and not where one is only slow", () => {
  assert.equal(isInTrouble(reportOf([{}, { status: "falling behind" }])), false);
  assert.equal(isInTrouble(reportOf([{}, { status: "stalled" }])), true);
  assert.equal(isInTrouble(reportOf([{ status: "losing data" }, {}])), true);
  assert.equal(isInTrouble(reportOf([{}, { status: "idle", partitions: [] }])), true);
  assert.equal(isInTrouble(reportOf([{}], { unseen: [{ what: "group x", why: "not allowed" }] })), true);
});

test("what deserves a look comes first, where there is no room for all", () => {
  const slow = partitionOf(2, { messages: { messages: 90, exact: true, atMost: 90 } });
  const partitions = [partitionOf(1), slow, partitionOf(3, { status: "stalled" })];
  const report = reportOf([{ group: "well" }, { group: "lost", status: "losing data", partitions }]);
  const [first, second] = worstFirst(report).groups;
  assert.deepEqual([first?.group, second?.group], ["lost", "well"]);
  assert.deepEqual(
    first?.partitions.map(({ partition }) => partition),
    [3, 2, 1],
  );
});

test("on a terminal each report is drawn over the one before, never more of it than fits, with a trend", () => {
  const screen = Object.assign(new PassThrough(), { rows: 8, columns: 40 });
  let written = "";
  screen.setEncoding("utf8").on("data", (text: string) => {
    written += text;
  });
  const drawn = new LagScreen(screen as never);
  const many = Array.from({ length: 20 }, (_, i) => partitionOf(i));
  for (const messages of [4, 8]) {
    const first = partitionOf(0, { messages: { messages, exact: true, atMost: messages } });
    drawn.draw(reportOf([{ partitions: [first, ...many.slice(1)] }]));
  }
  drawn.end();
  screen.read();
  const pages = written.split("\x1b[H\x1b[J").slice(2);
  assert.equal(pages.length, 2);
  for (const page of pages) {
    const lines = page.replace("\n\x1b[?25h", "").split("\n");
    assert.ok(lines.length <= 8, `${lines.length} lines`);
    for (const line of lines) assert.ok([...line].length <= 40, line);
    assert.match(lines.at(-1) ?? "", /^… \d+ lines more/);
  }
  assert.ok(written.startsWith("\x1b[?25l") && written.endsWith("\x1b[?25h"));
  const trends = new Map([["app\nprices/0", [4, 8, 0]]]);
  assert.match(lagTable(reportOf([{}]), { trends }), / {2}▄█·$/m);
});
