/**
 * Keeps a price list: one document for each symbol with its latest price, and how many prices there were. It runs until it
 * is told to stop by SIGTERM, which is the application's to handle: Spillway takes no signals.
 */
import { createSink, type MappedOperation, openMongoTarget } from "spillway";
import { kafka, mongoUrl, topics } from "./settings.ts";

const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());

interface Price {
  readonly symbol: string;
  readonly price: number;
  readonly seq: number;
}

/**
 * Records may come again after a crash. So each price sets what it says in a field of its own, which does no harm when it
 * is done twice; a counter that is raised would.
 */
function priceList(price: Price): readonly MappedOperation[] {
  const update = { $set: { [`prices.${price.seq}`]: price.price }, $max: { lastSeq: price.seq } };
  return [{ kind: "update", filter: { _id: price.symbol }, update, upsert: true }];
}

await using target = openMongoTarget({ url: mongoUrl });
await using sink = createSink({
  kafka,
  routes: [{ topic: topics.wide, collection: "price-list" }],
  target,
  model: { kind: "map", map: ({ value }) => priceList(value as Price), kinds: ["update"] },
  writers: 2,
  signal: stop.signal,
});

await sink.run();
console.log(JSON.stringify({ written: sink.stats.recordsWritten, deadLetters: sink.stats.recordsDeadLettered }));
