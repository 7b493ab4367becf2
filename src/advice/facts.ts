import type { BatchingMode } from "../sink/batching.ts";
import type { WriteSums } from "../sink/write-sums.ts";

/** The settings of a sink that advice is given on, by the names of its status. */
export interface SinkSettings {
  readonly batching: BatchingMode;
  readonly writers: number;
  readonly batchRecords: number;
  readonly batchBytes: number;
  readonly batchTimeoutMs: number;
  readonly inFlightRecords: number;
  readonly inFlightBytes: number;
  readonly commitIntervalMs: number;
  /** Connections to the database, at most. */
  readonly connections: number;
  /** How long a write may take until it counts as an outage. */
  readonly writeTimeoutMs: number;
  readonly fetchMinBytes: number;
  readonly fetchMaxWaitMs: number;
}

export type Setting = keyof SinkSettings;

/** What one instance of a sink did while it was looked at. */
export interface InstanceFacts {
  /** Where it was asked. */
  readonly from: string;
  readonly settings: SinkSettings;
  /** Of the time between the looks. */
  readonly seconds: number;
  /** Records that came to their outcome. */
  readonly records: number;
  readonly writes: WriteSums;
  /** Attempts that met an error which passes. */
  readonly retries: number;
  /** Read and not yet written, the mean of the looks. */
  readonly inFlightRecords: number;
  /** CPU seconds of the process. */
  readonly cpuSeconds: number;
  /** To the database and back, without any work: the quickest lately. Undefined where it isn't known. */
  readonly pingMs: number | undefined;
}

/** What stands in Kafka of a partition that the group reads. */
export interface PartitionFacts {
  readonly topic: string;
  readonly partition: number;
  /** Not committed by the group. */
  readonly waiting: number;
  /** Offsets per second; undefined where it isn't known. */
  readonly arrivalPerSecond: number | undefined;
}

/** What a few of the topic's records look like. */
export interface RecordSample {
  readonly records: number;
  /** Of one record, as it lies in the log, uncompressed. */
  readonly bytesPerRecord: number;
  /** Keys that come up most, the first first: their shares of all records, 0 … 1, no more than the true ones. */
  readonly hotKeys: readonly { readonly key: string; readonly share: number }[];
}

/** All that advice is made of; it asks nobody. */
export interface Facts {
  readonly group: string;
  /** The kind of database: it decides how some settings are called. */
  readonly target: string;
  /** At least one. */
  readonly instances: readonly InstanceFacts[];
  /** Of the group; undefined where it isn't known. */
  readonly members: number | undefined;
  readonly partitions: readonly PartitionFacts[];
  /** Undefined where none could be read. */
  readonly sample: RecordSample | undefined;
}
