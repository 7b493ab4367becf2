import { join } from "node:path";
import type { Peer } from "./peer.ts";

const PROGRAM = join(import.meta.dirname, "kafkajs-relay.ts");

/** All partitions at once, large fetches, a send for each batch as a whole: the fastest that was found. */
export const KAFKAJS_SETTINGS = {
  partitionsConsumedConcurrently: 3,
  maxBytesPerPartition: 1024 * 1024,
  maxBytes: 8 * 1024 * 1024,
  autoCommitInterval: 1_000,
  acks: -1,
} as const;

export const kafkajs: Peer = {
  name: "kafkajs",
  guarantee: "at-least-once",
  codecs: ["none"], // it has neither lz4 nor zstd of its own
  warmup: "native",
  variants: [
    {
      name: "tuned",
      settings: ({ codec }) => ({
        program: "eachBatch → producer.send of the whole batch",
        ...Object.fromEntries(Object.entries(KAFKAJS_SETTINGS).map(([name, value]) => [name, String(value)])),
        compression: codec === "none" ? "none" : `${codec}, by Spillway's own codec`,
      }),
      command: (job) => ({
        command: process.execPath,
        args: [...job.nodeFlags, PROGRAM, JSON.stringify(job)],
        env: { ...process.env, KAFKAJS_NO_PARTITIONER_WARNING: "1" },
      }),
    },
  ],
};
