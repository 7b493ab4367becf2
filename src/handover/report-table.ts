import type { HandBackReport } from "./report.ts";

/** The report for people. */
export function handBackTable(report: HandBackReport): string {
  const { source, to, dryRun, partitions, handledTwiceAtMost, uncommittedAtLeast, unreadRecords, deadLetters, how } =
    report;
  const header = ["partition", "before", "after", "end", "read again"];
  const rows = partitions.map(({ partition, before, after, end, again }) => [
    String(partition),
    before === undefined ? "-" : format(before),
    ...[after, end, again].map(format),
  ]);
  const widths = header.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const table = [header, ...rows].map((row) => row.map((cell, i) => cell.padStart(widths[i] ?? 0)).join("  "));
  const readers = report.targets.map(
    ({ topic, readers }) => `  ${topic}: ${readers.join(", ") || "nobody, and nothing"}`,
  );
  const verdict =
    how === "drained"
      ? "All that was relayed has been read: nothing that the relay has committed is handled twice."
      : `${format(unreadRecords)} records were relayed and not read. To miss none of them, up to ${format(handledTwiceAtMost)} records are read again.`;
  return [
    `${dryRun ? "Would set" : "Set"} the offsets of group ${to} in ${source}:`,
    ...table.map((line) => `  ${line}`),
    "",
    verdict,
    ...(uncommittedAtLeast === 0n
      ? []
      : [
          `The relay had written at least ${format(uncommittedAtLeast)} records that it had not committed: these come again.`,
        ]),
    "Read by:",
    ...readers,
    ...(deadLetters === undefined
      ? []
      : ["", `${deadLetters.topic} holds up to ${format(deadLetters.records)} records that the relay could not read.`]),
  ].join("\n");
}

/** What is left to do by hand, in its order, as lines of a shell and comments. */
export function retirement(report: HandBackReport, brokers: readonly string[]): string {
  const { source, relayGroup, to, targets } = report;
  const server = `--bootstrap-server ${brokers.join()}`;
  const topics = targets.map(({ topic }) => topic);
  return [
    `# 1. Leave the relay stopped, and stop the sinks and consumers of ${topics.join(" and ")}.`,
    `# 2. Start the consumers of group ${to} on ${source} again.`,
    "# 3. Once they are at work, delete what is not needed any more. A relay that finds its group goes on where that was.",
    `kafka-consumer-groups.sh ${server} --delete --group ${quote(relayGroup)}`,
    ...topics.map((topic) => `kafka-topics.sh ${server} --delete --topic ${topic}`),
  ].join("\n");
}

function format(count: bigint | number): string {
  return count.toLocaleString("en-US");
}

/** For a shell: groups may have any name. */
function quote(name: string): string {
  return /^[\w.-]+$/.test(name) ? name : `'${name.replaceAll("'", `'\\''`)}'`;
}
