import type { BenchResult, Round, Row } from "./result.ts";

const HEADINGS = ["codec", "relay", "guarantee", "records/s", "MB/s", "CPU µs/record", "peak RSS MiB"] as const;

/** The rows for a terminal. */
export function consoleTable({ rows }: Pick<BenchResult, "rows">): string {
  return aligned([HEADINGS, ...rows.map(cells)], 3);
}

/**
 * Lines of cells in columns.
 * @param words how many columns from the left hold words: the others are aligned to the right
 */
export function aligned(lines: readonly (readonly string[])[], words: number): string {
  const columns = lines[0]?.length ?? 0;
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...lines.map((line) => line[column]?.length ?? 0)),
  );
  return lines
    .map((line) =>
      line
        .map((cell, column) => (column < words ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join("  "),
    )
    .join("\n");
}

export function cells(row: Row): readonly string[] {
  return [
    row.codec,
    row.name,
    row.guarantee,
    thousands(row.recordsPerSecond),
    (row.bytesPerSecond / 1e6).toFixed(0),
    row.cpuMicrosPerRecord.toFixed(2),
    row.peakRssMiB.toFixed(0),
  ];
}

export function roundCells(round: Round): readonly string[] {
  return [
    round.codec,
    String(round.round),
    round.name,
    round.guarantee,
    round.variant,
    thousands(round.recordsPerSecond),
    round.cpuMicrosPerRecord.toFixed(2),
    round.peakRssMiB.toFixed(0),
    (round.batches === 0 ? 0 : round.storedBytes / round.batches / 1024).toFixed(1),
    round.brokerCores.toFixed(2),
    round.otherCores.toFixed(2),
  ];
}

/** One round for a terminal, as soon as it is over. */
export function roundLine(round: Round): string {
  const [codec, number, name, guarantee, variant, speed, cpu, memory, batch, broker, others] = roundCells(round);
  return [
    `${codec} round ${number} ${name}, ${guarantee} (${variant}): ${speed} records/s, ${cpu} µs CPU, ${memory} MiB;`,
    `batches of ${batch} KiB, broker ${broker} cores, others ${others}`,
  ].join(" ");
}

export function thousands(number: number): string {
  return Math.round(number)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ",");
}
