import { BENCH_CODECS, type BenchCodec, GUARANTEES, PEER_NAMES, type PeerName, type Row } from "../result.ts";
import { thousands } from "../table.ts";
import { twoColumns } from "./bars.ts";

const COLOURS: Readonly<Record<PeerName, string>> = {
  spillway: "#1f5fbf",
  "spillway-no-provenance": "#7fa8e0",
  "kafka-streams": "#d98032",
  kafkajs: "#d9b44a",
  "byte-copy": "#b4bac2",
};

const TITLES: Readonly<Record<BenchCodec, string>> = {
  none: "not compressed",
  lz4: "lz4",
  zstd: "zstd",
};

/** The relays' rows as bars, records per second and CPU per record, a panel for each codec. */
export function barChart(rows: readonly Row[], subtitle: string): string {
  const panels = BENCH_CODECS.map((codec) => ({
    title: TITLES[codec],
    rows: ordered(rows.filter((row) => row.codec === codec)).map((row) => ({
      label: labelOf(row),
      isOurs: row.name === "spillway",
      colour: COLOURS[row.name],
      bars: [
        { value: row.recordsPerSecond, figure: thousands(row.recordsPerSecond) },
        { value: row.cpuMicrosPerRecord, figure: row.cpuMicrosPerRecord.toFixed(2) },
      ] as const,
    })),
  }));
  return twoColumns({
    title: "Relays side by side",
    subtitle,
    headings: ["records per second (more is better)", "CPU µs per record (less is better)"],
    panels: panels.filter((panel) => panel.rows.length > 0),
  });
}

function labelOf({ name, guarantee }: Row): string {
  return guarantee === "exactly-once" ? `${name}, exactly once` : name;
}

function ordered(rows: readonly Row[]): readonly Row[] {
  const place = ({ name, guarantee }: Row) => 2 * PEER_NAMES.indexOf(name) + GUARANTEES.indexOf(guarantee);
  return rows.toSorted((a, b) => place(a) - place(b));
}
