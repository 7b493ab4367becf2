import { SpillwayError } from "../errors.ts";
import type { KafkaRecord } from "../record-batch/records.ts";

/**
 * From where on a topic must be read again so that nothing is missed of what a relay has written and nobody has read:
 * the smallest origin in each of its partitions. One number for each of them is all that is kept.
 */
export class OldestUnread {
  /** By partition of the topic that the records come from. */
  readonly offsets = new Map<number, bigint>();
  records = 0;
  readonly #topicId: string;

  constructor(topicId: string) {
    this.#topicId = topicId;
  }

  /** @throws SpillwayError TOPIC_MISMATCH for a record that doesn't say that it comes from the topic */
  add({ topic, partition, offset, origin }: Pick<KafkaRecord, "topic" | "partition" | "offset" | "origin">): void {
    if (origin === undefined) throw untraceable("A record says nothing of its origin", { topic, partition, offset });
    if (origin.topicId !== this.#topicId) {
      throw untraceable(`A record comes from another topic, with the id ${origin.topicId}`, {
        ...{ topic, partition, offset },
      });
    }
    this.records++;
    const oldest = this.offsets.get(origin.partition);
    if (oldest === undefined || origin.offset < oldest) this.offsets.set(origin.partition, origin.offset);
  }
}

function untraceable(what: string, place: { topic: string; partition: number; offset: bigint }): SpillwayError {
  return new SpillwayError("TOPIC_MISMATCH", `${what}, so nobody can tell where to read it again`, {
    context: { ...place, hint: "Let the readers drain this topic, then hand back without rewinding" },
  });
}
