import type { Machine } from "../machine.ts";
import { median, rounded } from "../statistics.ts";

export const SINK_NAMES = ["spillway", "mongo-kafka-connect", "kafkajs-insert-one", "kafkajs-insert-many"] as const;
export type SinkName = (typeof SINK_NAMES)[number];

export const TARGETS = ["mongodb", "dynamodb"] as const;
export type TargetName = (typeof TARGETS)[number];

export const MODELS = ["insert", "latest"] as const;
export type ModelName = (typeof MODELS)[number];

/** What is the same for all who are held against each other. */
export interface Setting {
  readonly target: TargetName;
  readonly model: ModelName;
  /** What a proxy adds to the way to the database. */
  readonly latencyMs: number;
  readonly partitions: number;
  /** How many different ones the records have. */
  readonly keys: number;
}

/** One line of the table: medians over the rounds. */
export interface SinkRow extends Setting {
  readonly name: SinkName;
  /** Of model latest: records whose state, or a newer one, is in the database. */
  readonly docsPerSecond: number;
  /** Of the sink's own process, all its threads and children. */
  readonly cpuMicrosPerDoc: number;
  readonly peakRssMiB: number;
}

/** One sink's window in one round. */
export interface SinkRound extends SinkRow {
  readonly round: number;
  readonly seconds: number;
  readonly documents: number;
  /** Milliseconds that the longer of the two counts took. */
  readonly countMs: number;
  /** Cores that were busy for the sink, for the database, and for whatever else ran: broker, proxy, kernel. */
  readonly sinkCores: number;
  readonly databaseCores: number;
  readonly otherCores: number;
}

/** How a peer was run: what is printed so that others can judge whether it was tuned. */
export interface SinkPeerSettings {
  readonly name: SinkName;
  readonly target: TargetName;
  readonly model: ModelName;
  readonly partitions: number;
  readonly warmupSeconds: number;
  readonly settings: Readonly<Record<string, string>>;
}

/** What holds for all. */
export interface SinkBenchSettings {
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly windowSeconds: number;
  readonly rounds: number;
  /** Records of each topic, of which no sink came to the end. */
  readonly records: number;
  readonly broker: Readonly<Record<string, string>>;
}

export interface SinkResult {
  readonly machine: Machine;
  readonly versions: Readonly<Record<string, string>>;
  readonly rows: readonly SinkRow[];
  readonly takenAt: string;
  /** What the databases are, by target. */
  readonly databases: Readonly<Partial<Record<TargetName, string>>>;
  readonly settings: SinkBenchSettings;
  readonly peers: readonly SinkPeerSettings[];
  readonly rounds: readonly SinkRound[];
}

/** Medians of the rounds, in the order in which the rows first come up. */
export function rowsOf(rounds: readonly SinkRound[]): SinkRow[] {
  return [...Map.groupBy(rounds, (round) => `${settingKey(round)} ${round.name}`).values()].map((ofRow) => {
    const [first] = ofRow;
    if (first === undefined) throw new RangeError("a row without rounds");
    const { name, target, model, latencyMs, partitions, keys } = first;
    const of = (pick: (round: SinkRound) => number): number => median(ofRow.map(pick));
    const docsPerSecond = of((round) => round.docsPerSecond);
    return {
      ...{ name, target, model, latencyMs, partitions },
      docsPerSecond: rounded(docsPerSecond, docsPerSecond < 100 ? 2 : 0),
      cpuMicrosPerDoc: rounded(
        of((round) => round.cpuMicrosPerDoc),
        2,
      ),
      peakRssMiB: rounded(
        of((round) => round.peakRssMiB),
        1,
      ),
      keys,
    };
  });
}

/** Rows of one setting have the same. */
export function settingKey({ target, model, latencyMs, partitions, keys }: Setting): string {
  return [target, model, latencyMs, partitions, keys].join(" ");
}
