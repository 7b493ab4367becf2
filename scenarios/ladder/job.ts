/** How a service of the accounts writes what it reads. */
export interface Writing {
  /** Messages in one write; 1: each by itself, and the next is read when it is done. */
  readonly batch: number;
  /** How long an incomplete batch waits. */
  readonly batchMs: number;
  /** Messages that may wait between a consumer and its writers; 0: the consumer waits for each write. */
  readonly queue: number;
  /** Writes side by side for each consumer, where there is a queue. */
  readonly writers: number;
}

/** What a process of such a service is to do. The database's URL comes by SPILLWAY_WRITER_URL. */
export interface WriterJob extends Writing {
  readonly brokers: readonly string[];
  /** Each a KafkaJS consumer, with a buffer or queue of its own. */
  readonly consumers: readonly { readonly topics: readonly string[]; readonly group: string }[];
  readonly target: "mongodb" | "dynamodb";
  readonly database: string;
  /** A table where the target is DynamoDB. */
  readonly collection: string;
}
