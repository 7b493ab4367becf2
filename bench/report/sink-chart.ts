import { SINK_NAMES, type SinkName, type SinkRow, settingKey } from "../sink/result.ts";
import { perSecond } from "../sink/table.ts";
import { thousands } from "../table.ts";
import { twoColumns } from "./bars.ts";

const COLOURS: Readonly<Record<SinkName, string>> = {
  spillway: "#1f5fbf",
  "mongo-kafka-connect": "#d98032",
  "kafkajs-insert-one": "#b4bac2",
  "kafkajs-insert-many": "#d9b44a",
};

/**
 * The sinks' rows as bars, documents per second and CPU per document, a panel for each setting. The CPU of one insert at
 * a time is left out, as it would leave no room for the others: the table has it.
 */
export function sinkBarChart(rows: readonly SinkRow[], subtitle: string): string {
  const panels = [...Map.groupBy(rows, settingKey).values()].map((ofSetting) => ({
    title: titleOf(ofSetting[0]),
    rows: ofSetting
      .toSorted((a, b) => SINK_NAMES.indexOf(a.name) - SINK_NAMES.indexOf(b.name))
      .map(({ name, docsPerSecond, cpuMicrosPerDoc }) => ({
        label: name,
        isOurs: name === "spillway",
        colour: COLOURS[name],
        bars: [
          { value: docsPerSecond, figure: perSecond(docsPerSecond) },
          name === "kafkajs-insert-one"
            ? { value: 0, figure: `${thousands(cpuMicrosPerDoc)} (no bar)` }
            : { value: cpuMicrosPerDoc, figure: cpuMicrosPerDoc.toFixed(1) },
        ] as const,
      })),
  }));
  return twoColumns({
    title: "Sinks side by side",
    subtitle,
    headings: ["documents per second (more is better)", "CPU µs per document (less is better)"],
    panels,
  });
}

function titleOf(row: SinkRow | undefined): string {
  if (row === undefined) return "";
  const { target, model, latencyMs, partitions, keys } = row;
  return `${target}, ${model}, ${latencyMs} ms away; ${partitions} partitions, ${thousands(keys)} keys`;
}
