import { type FindingKind, isProven, type VerifyReport } from "./report.ts";

const MEANINGS: readonly (readonly [FindingKind, string, string])[] = [
  ["missing", "missing", "source records that the target doesn't hold"],
  ["duplicated", "duplicated", "target records beyond one for each source record"],
  ["outOfOrder", "out of order", "target records behind one that came later in the source"],
  ["wrongPartition", "wrong partition", "where Kafka's partitioner doesn't put their key"],
  ["foreign", "foreign", "target records from none of the sources"],
];

/** The report for people. */
export function reportTable(report: VerifyReport): string {
  const { gaps, seconds, sourceRecords, targetRecords } = report;
  const rows: (readonly [string, number, string])[] = [
    ["source records", sourceRecords, report.sources.join(", ")],
    ["target records", targetRecords, `${report.targets.join(", ")}, matched by ${report.method}`],
    ...MEANINGS.map(([kind, name, meaning]) => [name, report[kind], meaning] as const),
  ];
  const notes: (readonly [string, number, string])[] = [
    ["dropped", report.dropped, "source records that a rule drops"],
    ["outlived", report.outlived, "target records that the source has deleted since"],
    ["later", report.later, "target records from behind the source's end at the start"],
    ["order unchecked", report.orderUnchecked, "records of more keys than can be remembered"],
    ["gap: retention", gaps.retention, "source offsets before the beginning of the log"],
    ["gap: markers", gaps.markers, "source offsets that end transactions"],
    ["gap: aborted", gaps.aborted, "source offsets of aborted transactions"],
    ["gap: compaction", gaps.compaction, "source offsets that compaction took"],
    ["gap: batch holes", gaps.batchHoles, "source offsets missing inside of batches"],
    ["gap: unexplained", gaps.unexplained, "source offsets that hold nothing, for no known reason"],
  ];
  const shown = [...rows, ...notes.filter(([, count]) => count > 0)];
  const nameWidth = Math.max(...shown.map(([name]) => name.length));
  const countWidth = Math.max(...shown.map(([, count]) => format(count).length));
  const lines = shown.map(
    ([name, count, note]) => `  ${name.padEnd(nameWidth)}  ${format(count).padStart(countWidth)}  ${note}`,
  );
  const verdict = isProven(report) ? "All records are accounted for" : "RECORDS ARE UNACCOUNTED FOR";
  return [...lines, "", ...examplesOf(report), `${verdict}: ${seconds.toFixed(1)} s.`].join("\n");
}

function examplesOf({ examples }: VerifyReport): string[] {
  return MEANINGS.flatMap(([kind, name]) =>
    examples[kind].map(({ topic, partition, offset, origin }) => {
      const from = origin === undefined ? "" : `, from ${origin.topicId}/${origin.partition} at ${origin.offset}`;
      return `${name}: ${topic}/${partition} at ${offset}${from}`;
    }),
  );
}

function format(count: number): string {
  return count.toLocaleString("en-US");
}
