import { BENCH_CODECS, type BenchCodec, type BenchResult, GUARANTEES, type PeerName, type Row } from "../result.ts";
import { cells, roundCells, thousands } from "../table.ts";
import { settingsList, table } from "./parts.ts";

export interface ReportParts {
  readonly result: BenchResult;
  /** File of the chart, as seen from the page. */
  readonly chart: string;
  /** What was learned, written by hand: the end of the page. */
  readonly notes: string;
}

/** The part of the page with the figures of one run of the relay's benchmark. */
export function relayPart({ result, chart, notes }: ReportParts): string {
  const { rows, rounds } = result;
  return [
    "<!-- From the result of `npm run bench:relay -- --json FILE`; the words at the end are those of bench/notes.md. -->",
    "",
    "## The relay",
    "",
    ...introduction(result),
    "",
    `![Bars of records per second and of CPU per record, for each relay and codec](${chart})`,
    "",
    ...table(
      [
        "codec",
        "relay",
        "guarantee",
        "records/s",
        "MB/s",
        "CPU µs/record",
        "peak RSS MiB",
        "× kafka-streams",
        "% of byte-copy",
      ],
      rows.map((row) => [...cells(row), ratio(row, rows, "kafka-streams"), share(row, rows)]),
      3,
    ),
    "",
    "Records and MB/s: what an application sees, keys and values, whatever they are compressed to. CPU: the relay's own process. `byte-copy` is the limit and no relay: it sends whole batches on without a look at their records, so keys don't stay together.",
    "",
    "### How it compares",
    "",
    ...comparisons(rows),
    "",
    "### How it was measured",
    "",
    ...method(result),
    "",
    "### The peers' settings",
    "",
    ...peerSettings(result),
    "",
    "### Every round",
    "",
    "Settings that did worse in the first round were not run again. Batches as they are stored in the target. `broker` and `others` are busy cores; others are the kernel, the benchmark itself and whatever else ran.",
    "",
    ...table(
      [
        "codec",
        "round",
        "relay",
        "guarantee",
        "settings",
        "records/s",
        "CPU µs/record",
        "peak RSS MiB",
        "KiB/batch",
        "broker",
        "others",
      ],
      rounds.map(roundCells),
      5,
    ),
    "",
    notes.trim(),
  ].join("\n");
}

function introduction({ machine, versions, takenAt, settings, sources }: BenchResult): string[] {
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const source = sources.map(
    ({ codec, recordsPerBatch, batchBytes, compressionRatio }) =>
      `${codec === "none" ? "not compressed" : codec}: ${recordsPerBatch} records and ${thousands(batchBytes)} bytes a batch${codec === "none" ? "" : `, ${compressionRatio} : 1`}`,
  );
  return [
    `A topic of ${settings.sourcePartitions} partitions is drained into one of ${settings.targetPartitions}. Values: JSON of ${settings.valueBytes} bytes; keys: ${thousands(settings.keys)} different ones of ${settings.keyBytes} bytes. Source batches as a producer makes them that fills its batches (${source.join("; ")}).`,
    "",
    `Machine: ${machine.cpu}, ${machine.cores} cores, ${thousands(machine.memoryMiB)} MiB, ${machine.system}; relay and broker share the cores. One broker, replication factor 1, acks=all. No database takes part. Versions: ${named.join(", ")}. Taken on ${takenAt.slice(0, 10)}.`,
  ];
}

function comparisons(rows: readonly Row[]): string[] {
  const kinds = BENCH_CODECS.flatMap((codec) => GUARANTEES.map((guarantee) => ({ codec, guarantee })));
  return kinds.flatMap(({ codec, guarantee }) => {
    const ofCodec = rows.filter((row) => row.codec === codec);
    const alike = ofCodec.filter((row) => row.guarantee === guarantee);
    const of = (name: PeerName) => alike.find((row) => row.name === name);
    const ours = of("spillway");
    if (ours === undefined) return [];
    const against = (["kafka-streams", "kafkajs"] as const).flatMap((name) => {
      const peer = of(name);
      return peer === undefined ? [] : [versus(ours, peer)];
    });
    const limit = ofCodec.find((row) => row.name === "byte-copy");
    const near = limit === undefined ? [] : [`${percent(ours, limit)} of the limit, ${"`byte-copy`"}`];
    const weaker = ofCodec.find((row) => row.name === "spillway" && row.guarantee === "at-least-once");
    const cost =
      guarantee === "at-least-once" || weaker === undefined
        ? []
        : [`${percent(ours, weaker)} of our own at-least-once`];
    const compared = [...against, ...cost, ...near].join("; ");
    return [`- ${title(codec)}, ${guarantee}: ${compared}.${whereAPeerWins(ours, alike)}`];
  });
}

function versus(ours: Row, peer: Row): string {
  const faster = (ours.recordsPerSecond / peer.recordsPerSecond).toFixed(1);
  const cheaper = (peer.cpuMicrosPerRecord / ours.cpuMicrosPerRecord).toFixed(1);
  return `${faster} × the records per second of \`${peer.name}\` for 1/${cheaper} of its CPU per record`;
}

const MEASURES = [
  { what: "records per second", of: (row: Row) => row.recordsPerSecond },
  { what: "CPU", of: (row: Row) => -row.cpuMicrosPerRecord },
  { what: "memory", of: (row: Row) => -row.peakRssMiB },
] as const;

function whereAPeerWins(ours: Row, alike: readonly Row[]): string {
  const peers = alike.filter(({ name }) => name === "kafka-streams" || name === "kafkajs");
  if (peers.length === 0) return "";
  const won = peers.flatMap((peer) =>
    MEASURES.filter(({ of }) => of(peer) > of(ours)).map(({ what }) => `\`${peer.name}\` wins in ${what}`),
  );
  return won.length === 0 ? " No peer wins in speed, CPU or memory." : ` But ${won.join(", ")}.`;
}

function method({ settings, peers }: BenchResult): string[] {
  const byWarmup = Map.groupBy(peers, ({ warmupSeconds }) => warmupSeconds);
  const warmups = [...byWarmup].map(
    ([seconds, warmed]) => `${seconds} s for ${[...new Set(warmed.map(({ name }) => name))].join(", ")}`,
  );
  return [
    `- Each relay is a process of its own and is looked at from outside only, over a window of ${settings.windowSeconds} s. The window begins after a warm-up that begins with the first record in the target: ${warmups.join("; ")}. ${settings.rounds} rounds, all relays in each, and the medians of them.`,
    "- Records are counted in the headers of the batches that the window added to the target, as a reader of committed records sees it.",
    "- CPU is that of the process, all its threads and children, from `/proc/PID/stat` at both ends of the window; memory is the process's peak (`VmHWM`) up to the end of the window.",
    "- The source is preloaded and lies in the page cache. No relay came to its end (that is checked), but for `byte-copy`, which begins again.",
    `- Broker: ${Object.entries(settings.broker)
      .map(([name, value]) => `${name} ${value}`)
      .join(", ")}. Retention is off on all topics; the target is new for every run, and deleted after it.`,
  ];
}

function peerSettings({ peers }: BenchResult): string[] {
  return settingsList(
    peers.map(({ name, guarantee, variant, settings }) => ({
      who: `\`${name}\`, ${guarantee} (${variant})`,
      settings,
    })),
  );
}

function ratio(row: Row, rows: readonly Row[], to: PeerName): string {
  const other = rows.find(
    ({ name, codec, guarantee }) => name === to && codec === row.codec && guarantee === row.guarantee,
  );
  return other === undefined ? "" : (row.recordsPerSecond / other.recordsPerSecond).toFixed(2);
}

function share(row: Row, rows: readonly Row[]): string {
  const limit = rows.find(({ name, codec }) => name === "byte-copy" && codec === row.codec);
  return limit === undefined ? "" : percent(row, limit);
}

function percent(row: Row, limit: Row): string {
  return `${((row.recordsPerSecond / limit.recordsPerSecond) * 100).toFixed(0)} %`;
}

function title(codec: BenchCodec): string {
  return codec === "none" ? "Not compressed" : codec;
}
