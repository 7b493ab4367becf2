import type { Machine } from "./machine.ts";
import { median, rounded } from "./statistics.ts";

export const BENCH_CODECS = ["none", "lz4", "zstd"] as const;
export type BenchCodec = (typeof BENCH_CODECS)[number];

export const PEER_NAMES = ["spillway", "spillway-no-provenance", "kafka-streams", "kafkajs", "byte-copy"] as const;
export type PeerName = (typeof PEER_NAMES)[number];

export const GUARANTEES = ["at-least-once", "exactly-once"] as const;
export type Guarantee = (typeof GUARANTEES)[number];

/** One line of the table: medians over the rounds. */
export interface Row {
  readonly name: PeerName;
  readonly guarantee: Guarantee;
  readonly codec: BenchCodec;
  readonly valueBytes: number;
  readonly recordsPerSecond: number;
  /** Of keys and values as an application sees them, whatever they are compressed to. */
  readonly bytesPerSecond: number;
  /** Of the relay's own process, all its threads and children. */
  readonly cpuMicrosPerRecord: number;
  readonly peakRssMiB: number;
}

/** One peer's window in one round. */
export interface Round {
  readonly name: PeerName;
  readonly guarantee: Guarantee;
  readonly codec: BenchCodec;
  /** Which of the peer's settings, where it has several. */
  readonly variant: string;
  readonly round: number;
  readonly seconds: number;
  readonly records: number;
  readonly recordsPerSecond: number;
  readonly cpuMicrosPerRecord: number;
  readonly peakRssMiB: number;
  /** Batches in the target, and their bytes as they are stored. */
  readonly batches: number;
  readonly storedBytes: number;
  /** Cores that were busy for the broker, and for whatever else ran on the machine (the kernel's own work included). */
  readonly brokerCores: number;
  readonly otherCores: number;
}

/** How the topic that all peers read was made. */
export interface SourceFacts {
  readonly codec: BenchCodec;
  readonly records: number;
  readonly recordsPerBatch: number;
  /** Of a batch as it is stored. */
  readonly batchBytes: number;
  /** Bytes of the records over their bytes when compressed, batch by batch. */
  readonly compressionRatio: number;
}

/** How a peer was run: what is printed so that others can judge whether it was tuned. */
export interface PeerSettings {
  readonly name: PeerName;
  readonly guarantee: Guarantee;
  readonly variant: string;
  readonly warmupSeconds: number;
  readonly settings: Readonly<Record<string, string>>;
}

export interface BenchResult {
  readonly machine: Machine;
  readonly versions: Readonly<Record<string, string>>;
  readonly rows: readonly Row[];
  readonly takenAt: string;
  readonly settings: BenchSettings;
  readonly sources: readonly SourceFacts[];
  readonly peers: readonly PeerSettings[];
  readonly rounds: readonly Round[];
}

/** What holds for all peers. */
export interface BenchSettings {
  readonly sourcePartitions: number;
  readonly targetPartitions: number;
  readonly keys: number;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly windowSeconds: number;
  readonly rounds: number;
  readonly broker: Readonly<Record<string, string>>;
}

/** The rows of all rounds: of each peer's settings only those that were the fastest by their median count. */
export function rowsOf(rounds: readonly Round[], { keyBytes, valueBytes }: BenchSettings): Row[] {
  const byRow = Map.groupBy(rounds, ({ name, guarantee, codec }) => `${codec} ${guarantee} ${name}`);
  return [...byRow.values()].map((ofRow) => {
    const best = bestVariant(ofRow);
    const [{ name, guarantee, codec }] = best;
    const recordsPerSecond = Math.round(median(best.map((round) => round.recordsPerSecond)));
    return {
      name,
      guarantee,
      codec,
      valueBytes,
      recordsPerSecond,
      bytesPerSecond: recordsPerSecond * (keyBytes + valueBytes),
      cpuMicrosPerRecord: rounded(median(best.map((round) => round.cpuMicrosPerRecord)), 3),
      peakRssMiB: rounded(median(best.map((round) => round.peakRssMiB)), 1),
    };
  });
}

type NonEmpty<T> = readonly [T, ...T[]];

/**
 * The rounds of the settings that did best. Settings that were given up after a first round have fewer rounds than the
 * others and don't count, however lucky that round was.
 */
export function bestVariant(rounds: readonly Round[]): NonEmpty<Round> {
  const variants = [...Map.groupBy(rounds, ({ variant }) => variant).values()];
  const most = Math.max(...variants.map(({ length }) => length));
  const complete = variants.filter(({ length }) => length === most);
  const speed = (ofVariant: readonly Round[]) => median(ofVariant.map(({ recordsPerSecond }) => recordsPerSecond));
  const [first, ...others] = complete.toSorted((a, b) => speed(b) - speed(a))[0] ?? [];
  if (first === undefined) throw new RangeError("no rounds");
  return [first, ...others];
}
