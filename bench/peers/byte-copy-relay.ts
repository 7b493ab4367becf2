// Sends the batches of a topic to another as they are. One argument: the job, as JSON.
// It keeps no keys together and commits nothing: it is no relay, but the limit of one.
import { setImmediate as nextTurn } from "node:timers/promises";
import { pino } from "pino";
import { openSource } from "../../src/kafka/source.ts";
import { Writer } from "../../src/kafka/writer.ts";
import type { SealedBatch } from "../../src/record-batch/batch-builder.ts";
import * as layout from "../../src/record-batch/layout.ts";
import { Topics } from "../topics.ts";
import type { Job } from "./peer.ts";

const { brokers, source, target, targetPartitions }: Job = JSON.parse(process.argv[2] ?? "");
const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());
const { signal } = stop;
const log = pino({ level: "warn" }, pino.destination(2));

await using topics = new Topics(brokers, log);
await using writer = await Writer.open({ kafka: topics.kafka, log, signal });
const positions = await topics.start(source);
const ends = new Map((await topics.end(source)).map(({ partition, offset }) => [partition, offset]));
let next = 0;
while (!signal.aborted) await copyOnce();

/** From the first record of the source to its last: it is read again and again, as no topic would be long enough. */
async function copyOnce(): Promise<void> {
  const left = new Set(ends.keys());
  for await (const { partition, batches, nextOffset } of openSource({ kafka: topics.kafka, positions, signal, log })) {
    for (const batch of wholeBatches(batches)) {
      next = (next + 1) % targetPartitions;
      writer.write(target, next, batch).catch(failed);
    }
    await writer.ready(signal).catch(failed);
    await nextTurn(); // a full queue would keep the event loop from sending what is ready
    if (nextOffset >= (ends.get(partition) ?? 0n)) left.delete(partition);
    if (left.size === 0) return;
  }
}

function* wholeBatches(batches: Buffer): Generator<SealedBatch> {
  for (let at = 0; batches.length - at >= layout.RECORDS; ) {
    const end = at + batches.readInt32BE(at + layout.BATCH_LENGTH) + layout.LENGTH_OVERHEAD;
    if (end > batches.length) return;
    batches.writeBigInt64BE(0n, at + layout.BASE_OFFSET); // a broker takes no other
    yield { bytes: batches.subarray(at, end), recordCount: batches.readInt32BE(at + layout.RECORD_COUNT) };
    at = end;
  }
}

function failed(error: unknown): void {
  if (signal.aborted) return;
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
}
