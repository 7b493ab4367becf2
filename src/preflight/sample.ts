import type { OtherPartitioner } from "./partitioners.ts";

/** How much is read for a sample: whichever comes first. */
export interface SampleLimits {
  readonly records: number;
  readonly bytes: number;
  readonly ms: number;
  /** Parts of each partition's backlog that are looked into. */
  readonly windows: number;
}

/**
 * What was seen in a part of the source's records. A weight is how many records of the source a record of the sample
 * stands for: where a window was not read to its end, it stands for what lies behind it too.
 */
export interface Sample {
  /** The backlog, or the whole log where nothing is left to be relayed. */
  readonly of: "backlog" | "log";
  readonly records: number;
  /** As they were fetched. */
  readonly bytes: number;
  readonly partitions: number;
  readonly windows: number;
  /** All of it was read: shares are exact then. */
  readonly isWhole: boolean;
  /** Batches that can't be read. */
  readonly unreadable: number;
  readonly weight: number;
  readonly keylessWeight: number;
  readonly keys: KeyFacts;
  /** Of each rule in their order, then of what fits none. */
  readonly routes: readonly RouteFacts[];
  /** By topic. */
  readonly targets: ReadonlyMap<string, TargetSample>;
  /** Bytes written for each byte read. */
  readonly growth: number | undefined;
}

export interface KeyFacts {
  /** Records with a key. */
  readonly records: number;
  readonly distinct: number;
  /** Not all keys were remembered: what is said of keys is said of those that were. */
  readonly isCut: boolean;
  /** Records that don't lie where Kafka's own partitioner puts their key. */
  readonly misplaced: number;
  /** Of the misplaced, how many lie where another partitioner would put them. */
  readonly elsewhere: Readonly<Record<OtherPartitioner, number>>;
  /** Keys seen in more than one partition of the source. */
  readonly inSeveralPartitions: number;
  /** Keys seen on more than one route. */
  readonly onSeveralRoutes: number;
}

export interface RouteFacts {
  /** The topic, or "drop". */
  readonly to: string;
  readonly records: number;
  readonly bytes: number;
  readonly weight: number;
}

/** What a target would get. */
export interface TargetSample {
  readonly records: number;
  readonly weight: number;
  readonly keylessRecords: number;
  readonly keylessWeight: number;
  readonly distinctKeys: number;
  /** Records with a key and their weight, by partition. */
  readonly partitions: readonly { readonly records: number; readonly weight: number }[];
  /** Keys that come up most, the first first. */
  readonly hotKeys: readonly HotKey[];
  /** Milliseconds since the epoch; undefined where no record has a time. */
  readonly oldest: number | undefined;
  readonly newest: number | undefined;
  /** Of the largest record, and of the largest that would be written without compression. */
  readonly largestRecord: number;
  readonly largestPlainRecord: number;
}

export interface HotKey {
  readonly key: string;
  /** At least that. */
  readonly weight: number;
}
