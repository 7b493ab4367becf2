/** Writes live prices, each with a key, and a small flood beside them into the same topic. */
import { createProducer } from "spillway";
import { kafka, topics } from "./settings.ts";

const SYMBOLS = ["BTC", "ETH", "SOL"];
const LIVE = 300;

await using producer = createProducer({ kafka, partitions: 3 });

const flood = producer.backfill(
  topics.hot,
  { records: 3_000, keys: 500 },
  { headers: [{ key: "backfill", value: Buffer.from("2024-05") }] },
);
for (let i = 0; i < LIVE; i++) {
  const symbol = SYMBOLS[i % SYMBOLS.length] ?? "";
  const value = JSON.stringify({ symbol, price: 100 + i, seq: i });
  await producer.send(topics.hot, { key: symbol, value, headers: { source: "example" } });
}

console.log(JSON.stringify({ live: LIVE, flood: await flood }));
