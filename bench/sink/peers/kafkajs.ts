import { join } from "node:path";
import type { SinkJob, SinkPeer } from "./peer.ts";

const PROGRAM = join(import.meta.dirname, "kafkajs-sink.ts");

export interface KafkaJsJob extends Pick<SinkJob, "brokers" | "topic" | "group" | "url" | "database" | "collection"> {
  readonly mode: keyof typeof KAFKAJS_SINK;
}

/**
 * `one` is the accounts' *before*: a message at a time, which is what `eachMessage` does unless told otherwise. `many` is
 * the fastest that was found: all partitions at once, each batch of a fetch as one insertMany.
 */
export const KAFKAJS_SINK = {
  one: { partitionsConsumedConcurrently: 1, maxBytesPerPartition: 1024 * 1024, autoCommitInterval: 1_000 },
  many: { partitionsConsumedConcurrently: 24, maxBytesPerPartition: 1024 * 1024, autoCommitInterval: 1_000 },
} as const;

const PROGRAMS = {
  one: "eachMessage → insertOne, one message at a time",
  many: "eachBatch → insertMany of the whole batch, unordered",
} as const;

export const kafkajsInsertOne: SinkPeer = peer("kafkajs-insert-one", "one");
export const kafkajsInsertMany: SinkPeer = peer("kafkajs-insert-many", "many");

function peer(name: SinkPeer["name"], mode: KafkaJsJob["mode"]): SinkPeer {
  return {
    name,
    warmup: "native",
    settings: () => ({
      program: PROGRAMS[mode],
      ...Object.fromEntries(Object.entries(KAFKAJS_SINK[mode]).map(([key, value]) => [key, String(value)])),
      _id: "topic-partition-offset",
    }),
    command: ({ nodeFlags, brokers, topic, group, url, database, collection }) => {
      const job: KafkaJsJob = { mode, brokers, topic, group, url, database, collection };
      return { command: process.execPath, args: [...nodeFlags, PROGRAM, JSON.stringify(job)] };
    },
  };
}
