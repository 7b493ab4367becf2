import { beside, reached } from "../sink/reach.ts";
import { SINK_NAMES, type SinkResult, type SinkRound, type SinkRow } from "../sink/result.ts";
import { databaseLine, perSecond, sinkCells } from "../sink/table.ts";
import { thousands } from "../table.ts";
import { settingsList, table } from "./parts.ts";

export interface SinkReportParts {
  readonly result: SinkResult;
  /** File of the chart, as seen from the page. */
  readonly chart: string;
  /** What was learned, written by hand. */
  readonly notes: string;
}

/** The part of the page with the figures of one run of the sink's benchmark. */
export function sinkPart({ result, chart, notes }: SinkReportParts): string {
  const { rows, rounds, settings, databases, peers } = result;
  return [
    "<!-- From the result of `npm run bench:sink -- --json FILE`; the words at the end are those of bench/sink/notes.md. -->",
    "",
    "## The sink",
    "",
    ...introduction(result),
    "",
    `![Bars of documents per second and of CPU per document, for each sink and setting](${chart})`,
    "",
    ...table(
      [...ROW_HEADINGS, "× mongo-kafka-connect", "× kafkajs-insert-one"],
      rows.map((row) => [
        ...sinkCells(row),
        ratio(row, rows, "mongo-kafka-connect"),
        ratio(row, rows, "kafkajs-insert-one"),
      ]),
      3,
    ),
    "",
    databaseLine(databases),
    "",
    "### How it compares",
    "",
    ...rows.filter(({ name }) => name === "spillway").map((ours) => comparison(ours, rows)),
    "",
    ...table(
      ["aim", "reached", ""],
      reached(rows).map(({ aim, figure, isReached }) => [aim, figure, isReached ? "yes" : "**no**"]),
      1,
    ),
    "",
    "### How the sinks were measured",
    "",
    `- Each sink is a process of its own and is looked at from outside only, over a window of ${settings.windowSeconds} s that begins after a warm-up, which begins with the first document. Sinks take turns; figures are medians of ${roundsOf(rounds)}.`,
    "- Model insert: documents are counted in the database, by its statistics (`collStats`), at both ends of the window; how long a count took stands below. Model latest, where documents replace each other: records that the sink's group has committed.",
    "- CPU is that of the process, all its threads and children, from `/proc/PID/stat` at both ends of the window; memory is the process's peak (`VmHWM`) up to the end of the window. Database, proxy, broker and sink share the cores.",
    `- The topic is preloaded with ${thousands(settings.records)} records or more, and no sink came to its end (that is checked). Each run has a database of its own, dropped after it.`,
    "- The latency is put on the way to the database, by toxiproxy; at 0 ms sinks go through it too.",
    `- Broker: ${Object.entries(settings.broker)
      .map(([name, value]) => `${name} ${value}`)
      .join(", ")}.`,
    "",
    "### The sinks' settings",
    "",
    ...settingsList(
      peers.map(({ name, target, model, warmupSeconds, settings: chosen }) => ({
        who: `\`${name}\`, ${target}, ${model} (warm-up ${warmupSeconds} s)`,
        settings: chosen,
      })),
    ),
    "",
    "### Every round of the sinks",
    "",
    "Busy cores; others are broker, proxy, kernel, the benchmark itself and whatever else ran.",
    "",
    ...table(
      [...ROW_HEADINGS, "round", "sink cores", "database cores", "other cores", "counted in ms"],
      rounds.map((round) => [
        ...sinkCells(round),
        ...[round.round, round.sinkCores, round.databaseCores, round.otherCores, round.countMs].map(String),
      ]),
      3,
    ),
    "",
    notes.trim(),
  ].join("\n");
}

const ROW_HEADINGS = [
  ...["target", "model", "sink", "latency ms", "partitions", "keys"],
  ...["docs/s", "CPU µs/doc", "peak RSS MiB"],
];

function introduction({ machine, versions, takenAt, settings, databases }: SinkResult): string[] {
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `A topic is written into a database that is some way off, by Spillway with its defaults and by others that were tuned. Values: JSON of ${settings.valueBytes} bytes; keys of ${settings.keyBytes} bytes. ${databaseLine(databases)}`,
    "",
    `Machine: ${machine.cpu}, ${machine.cores} cores, ${thousands(machine.memoryMiB)} MiB, ${machine.system}; all share the cores. Versions: ${named.join(", ")}. Taken on ${takenAt.slice(0, 10)}.`,
  ];
}

const MEASURES = [
  { what: "documents per second", of: (row: SinkRow) => row.docsPerSecond },
  { what: "CPU", of: (row: SinkRow) => -row.cpuMicrosPerDoc },
  { what: "memory", of: (row: SinkRow) => -row.peakRssMiB },
] as const;

function comparison(ours: SinkRow, rows: readonly SinkRow[]): string {
  const { target, model, latencyMs, partitions, keys } = ours;
  const others = SINK_NAMES.flatMap((name) => (name === "spillway" ? [] : (beside(rows, ours, name) ?? [])));
  const against = others.map((peer) => {
    const faster = (ours.docsPerSecond / peer.docsPerSecond).toFixed(peer.docsPerSecond < 100 ? 0 : 2);
    const cpu = (ours.cpuMicrosPerDoc / peer.cpuMicrosPerDoc).toFixed(2);
    return `${faster} × the documents per second of \`${peer.name}\` for ${cpu} of its CPU per document`;
  });
  const won = others.flatMap((peer) =>
    MEASURES.filter(({ of }) => of(peer) > of(ours)).map(({ what }) => `\`${peer.name}\` wins in ${what}`),
  );
  const wins = others.length === 0 ? "" : won.length === 0 ? " No peer wins." : ` But ${won.join(", ")}.`;
  const where = `${target}, ${model}, ${latencyMs} ms, ${partitions} partitions, ${thousands(keys)} keys`;
  return `- ${where}: ${perSecond(ours.docsPerSecond)} docs/s${against.length === 0 ? "" : `; ${against.join("; ")}`}.${wins}`;
}

function ratio(row: SinkRow, rows: readonly SinkRow[], to: "mongo-kafka-connect" | "kafkajs-insert-one"): string {
  const other = beside(rows, row, to);
  if (other === undefined) return "";
  const times = row.docsPerSecond / other.docsPerSecond;
  return times < 10 ? times.toFixed(2) : thousands(times);
}

/** How many there are of each sink: not the same where some were left out of later runs. */
function roundsOf(rounds: readonly SinkRound[]): string {
  const counts = SINK_NAMES.map((name) => {
    const own = rounds.filter((round) => round.name === name);
    return { name, count: Math.max(0, ...own.map(({ round }) => round)) };
  });
  const byCount = Map.groupBy(
    counts.filter(({ count }) => count > 0),
    ({ count }) => count,
  );
  const said = [...byCount].map(([count, sinks]) => `${count} of ${sinks.map(({ name }) => name).join(", ")}`);
  return `rounds: ${said.join("; ")}`;
}
