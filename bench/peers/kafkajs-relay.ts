// The relay as one would write it with KafkaJS. One argument: the job, as JSON.
import kafkajs from "kafkajs";
import { compress, decompress } from "../../src/record-batch/compression.ts";
import type { BenchCodec } from "../result.ts";
import { KAFKAJS_SETTINGS } from "./kafkajs.ts";
import type { Job } from "./peer.ts";

// It is a CommonJS module some of whose names Node doesn't find.
const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajs;
const { brokers, source, target, codec, group }: Job = JSON.parse(process.argv[2] ?? "");
const { partitionsConsumedConcurrently, maxBytesPerPartition, maxBytes, autoCommitInterval, acks } = KAFKAJS_SETTINGS;

// KafkaJS brings gzip only, and a place for the others.
const COMPRESSIONS = { none: CompressionTypes.None, lz4: CompressionTypes.LZ4, zstd: CompressionTypes.ZSTD };
CompressionCodecs[CompressionTypes.LZ4] = () => codecOf("lz4");
CompressionCodecs[CompressionTypes.ZSTD] = () => codecOf("zstd");

const kafka = new Kafka({ clientId: "kafkajs", brokers: [...brokers], logLevel: logLevel.ERROR });
const producer = kafka.producer({ allowAutoTopicCreation: false });
const consumer = kafka.consumer({ groupId: group, maxBytesPerPartition, maxBytes });
process.once("SIGTERM", () => void stop());
await producer.connect();
await consumer.connect();
await consumer.subscribe({ topics: [source], fromBeginning: true });
await consumer.run({
  partitionsConsumedConcurrently,
  autoCommitInterval,
  eachBatch: async ({ batch }) => {
    await producer.send({ topic: target, acks, compression: COMPRESSIONS[codec], messages: batch.messages });
  },
});

async function stop(): Promise<void> {
  await consumer.disconnect();
  await producer.disconnect();
}

function codecOf(name: BenchCodec) {
  return {
    compress: async (encoder: { readonly buffer: Buffer }) => compress(name, encoder.buffer),
    decompress: async (bytes: Buffer) => decompress(name, bytes),
  };
}
