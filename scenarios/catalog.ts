/** What drains the hot topic. */
export type RelayKind = "none" | "spillway" | "kafka-streams";

export const HOT_PARTITIONS = 3;
/** Every record of the flood has it, and no live message. */
export const FLOOD_HEADER = "backfill";

/** One way to put the same service between a flood and its live messages. */
export interface Scenario {
  readonly name: ScenarioName;
  /** For people: who reads what. */
  readonly title: string;
  readonly relay: RelayKind;
  /** Of the topic that live messages are read from: as many consumers, one for each. */
  readonly partitions: number;
  /** Of the flood's own topic, with as many consumers of their own, where it has one. */
  readonly backfillPartitions?: number;
  /** Ends when the flood has been produced, as working it off would take an hour. */
  readonly isCutOff?: true;
  /** The most that p99 in the flood may be of p99 in quiet. */
  readonly reach?: number;
}

export const SCENARIO_NAMES = [
  "backfill-without-spillway",
  "backfill-relayed-24",
  "backfill-relayed-24-streams",
  "backfill-relayed-200",
  "backfill-diverted",
] as const;
export type ScenarioName = (typeof SCENARIO_NAMES)[number];

const SCENARIOS: Readonly<Record<ScenarioName, Omit<Scenario, "name">>> = {
  "backfill-without-spillway": {
    title: "the service reads the hot topic, 3 consumers",
    relay: "none",
    partitions: HOT_PARTITIONS,
    isCutOff: true,
  },
  "backfill-relayed-24": {
    title: "Spillway relays to 24 partitions, 24 consumers",
    relay: "spillway",
    partitions: 24,
  },
  "backfill-relayed-24-streams": {
    title: "Kafka Streams relays to 24 partitions, 24 consumers",
    relay: "kafka-streams",
    partitions: 24,
  },
  "backfill-relayed-200": {
    title: "Spillway relays to 200 partitions, 200 consumers",
    relay: "spillway",
    partitions: 200,
    reach: 3,
  },
  "backfill-diverted": {
    title: "Spillway diverts the flood: 3 consumers for live, 200 for the backfill",
    relay: "spillway",
    partitions: 3,
    backfillPartitions: 200,
    reach: 1.5,
  },
};

export function scenarioOf(name: ScenarioName): Scenario {
  return { name, ...SCENARIOS[name] };
}

/** How long the phases take. */
export interface Pace {
  readonly warmupMs: number;
  readonly quietMs: number;
  readonly floodMs: number;
  /** Whether the figures are to mean something: then they are held against samples wanted and reach. */
  readonly isFull: boolean;
}

/** A little more than 500 live messages in quiet, 600 while the flood is produced. */
export const FULL_PACE: Pace = { warmupMs: 60_000, quietMs: 101_000, floodMs: 120_000, isFull: true };
export const SHORT_PACE: Pace = { warmupMs: 5_000, quietMs: 10_000, floodMs: 10_000, isFull: false };

export const LIVE_PER_SECOND = 5;
export const LIVE_KEYS = 40;
export const FLOOD_PER_SECOND = 450;
export const FLOOD_KEYS = 10_000;
/** The second account's: one write, from the service's call to its acknowledgement. */
export const WRITE_MS = 180;
export const VALUE_BYTES = 180;
/** Of each phase, for a 99th percentile that isn't a single message. */
export const WANTED_SAMPLES = 500;

/** Of what the service can take. */
const WARMUP_LOAD = 0.8;

/** Records a second beside the live ones until connections are open and code is compiled: as in the flood, where the service can take that. */
export function warmupPerSecond({ partitions, backfillPartitions = partitions }: Scenario): number {
  const capacity = (backfillPartitions * 1_000) / WRITE_MS;
  return Math.min(FLOOD_PER_SECOND, Math.floor(WARMUP_LOAD * capacity - LIVE_PER_SECOND));
}
