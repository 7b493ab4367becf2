/** A partition of a topic that exists now: a topic that is deleted and made anew gets another id. */
export interface TopicPartition {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
}

/** A partition and the offset of the next record to be read from it. */
export interface Position extends TopicPartition {
  readonly offset: bigint;
}

/** A string that is the same for the same partition, for use as a key in maps. */
export function partitionKey({ topic, partition }: { readonly topic: string; readonly partition: number }): string {
  return `${topic}/${partition}`;
}
