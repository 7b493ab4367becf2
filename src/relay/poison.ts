import type { Logger } from "pino";
import { poisonLetters } from "../dead-letter/poison.ts";
import { SpillwayError } from "../errors.ts";
import type { PoisonBatch } from "../record-batch/batch.ts";
import { BatchBuilder, type NewRecord, type SealedBatch } from "../record-batch/batch-builder.ts";
import type { RelayOptions } from "./options.ts";
import type { RelayStats } from "./stats.ts";

/** The dead letters of a batch that can't be read, each a batch of its own, and the topic they go to. */
export function poisonBatches(
  poison: PoisonBatch,
  topicId: string,
  { options, stats, log }: { readonly options: RelayOptions; readonly stats: RelayStats; readonly log: Logger },
): { readonly topic: string; readonly batches: readonly SealedBatch[] } {
  const deadLetterTopic = deadLetterTopicOf(options);
  stats.batchesDeadLettered++;
  const { topic, partition, unreadFrom, lastOffset, error } = poison;
  log.error(
    { topic, partition, offset: String(unreadFrom), lastOffset: String(lastOffset), error: error.message },
    `a record batch can't be read: its bytes go to ${deadLetterTopic}`,
  );
  return { topic: deadLetterTopic, batches: poisonLetters(poison, topicId, new Date()).map(batchOf) };
}

export function deadLetterTopicOf({ source, deadLetterSuffix }: RelayOptions): string {
  return source + deadLetterSuffix;
}

function batchOf(record: NewRecord): SealedBatch {
  const builder = new BatchBuilder();
  const batch = builder.append(record) ? builder.seal("none") : undefined;
  if (batch === undefined) throw new SpillwayError("BATCH_CORRUPT", "A dead letter could not be made of it");
  return batch;
}
