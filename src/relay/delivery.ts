import type { Logger } from "pino";
import type { Generation } from "../kafka/generation.ts";
import type { FetchedPartition } from "../kafka/source.ts";
import type { Position } from "../kafka/topic-partition.ts";
import type { PoisonBatch } from "../record-batch/batch.ts";
import type { RelayOptions } from "./options.ts";
import type { RelayStats } from "./stats.ts";
import type { OutputBatch, Transcoder, TranscoderInput } from "./transcoder.ts";

/** A fetched part on its way through the relay, its records spread over many output batches. */
export interface RelayInput extends TranscoderInput {
  /** Every record of it is acknowledged. */
  readonly acknowledged: () => void;
}

/** What every delivery works with. */
export interface DeliveryParts {
  readonly generation: Generation;
  readonly transcoder: Transcoder<RelayInput>;
  readonly options: RelayOptions;
  readonly stats: RelayStats;
  readonly log: Logger;
}

/**
 * Carries what the relay's loop transcodes to the target and commits how far the source is done, with one guarantee or
 * the other. For each fetched part: `begin`, then `produce` and `bury` any number of times, then `end`.
 */
export interface Delivery extends AsyncDisposable {
  /** Where reading begins. */
  readonly positions: readonly Position[];
  /** Aborted with what it failed with: nothing more is delivered. */
  readonly failed: AbortSignal;
  begin(fetched: FetchedPartition): RelayInput;
  produce(output: OutputBatch<RelayInput>): void;
  /** Keeps a batch that can't be read, as dead letters, with the same guarantee as a record. */
  bury(poison: PoisonBatch, topicId: string, input: RelayInput): void;
  end(fetched: FetchedPartition, input: RelayInput): void;
  /** Resolves once there is room for more. @throws the signal's reason; what the writer failed with */
  room(signal: AbortSignal): Promise<void>;
  /** Writes and commits all there is, as far as it goes within the drain deadline. @throws what it failed with */
  finish(): Promise<void>;
}
