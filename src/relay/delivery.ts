import type { FetchedPartition } from "../kafka/source.ts";
import type { PoisonBatch } from "../record-batch/batch.ts";
import type { OutputBatch, TranscoderInput } from "./transcoder.ts";

/**
 * Carries what the relay's loop transcodes to the target and commits how far the source is done, with one guarantee or
 * the other. For each fetched part: `begin`, then `produce` any number of times, then `end`.
 */
export interface Delivery<Input extends TranscoderInput = TranscoderInput> extends AsyncDisposable {
  /** Aborted with what it failed with: nothing more is delivered. */
  readonly failed: AbortSignal;
  begin(fetched: FetchedPartition): Input;
  produce(output: OutputBatch<Input>): void;
  /** Keeps a batch that can't be read, as dead letters, with the same guarantee as a record. */
  bury(poison: PoisonBatch, topicId: string, input: Input): void;
  end(fetched: FetchedPartition, input: Input): void;
  /** Resolves once there is room for more. @throws the signal's reason */
  room(signal: AbortSignal): Promise<void>;
  /** Writes and commits all there is, as far as it goes within the drain deadline. */
  finish(): Promise<void>;
}
