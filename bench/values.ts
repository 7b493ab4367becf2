import { randomFraction, randomUint32 } from "../src/producer/random.ts";

export const KEYS = 10_000;
export const KEY_BYTES = 10;
export const VALUE_BYTES = 180;

const SEED = 20;
const VENUES = ["binance", "coinbase", "kraken", "bitstamp", "okx", "bybit", "gemini"];
const START = Date.UTC(2025, 0, 1);

/** One of the keys, all equally likely. */
export function keyOf(index: number, keys = KEYS): Buffer {
  const number = randomUint32(SEED, 0, index) % keys;
  return Buffer.from(`key-${String(number).padStart(KEY_BYTES - 4, "0")}`, "latin1");
}

/**
 * A trade as JSON, always as long. Field names and venues repeat, as in real events; ids, prices and amounts don't. How
 * far such records compress is measured when they are written, and stands beside the figures.
 */
export function jsonOf(index: number): Buffer {
  const random = (stream: number) => randomFraction(SEED, stream, index);
  const hex = (stream: number) => randomUint32(SEED, stream, index).toString(16).padStart(8, "0");
  const trade = {
    id: `${hex(1)}${hex(2)}`,
    symbol: `COIN-${String(randomUint32(SEED, 3, index) % KEYS).padStart(4, "0")}`,
    price: (random(4) * 60_000).toFixed(2),
    amount: (random(5) * 10).toFixed(6),
    side: random(6) < 0.5 ? "buy" : "sell",
    venue: VENUES[randomUint32(SEED, 7, index) % VENUES.length],
    currency: "USD",
    at: new Date(START + index * 3).toISOString(),
    ref: "",
  };
  const short = VALUE_BYTES - JSON.stringify(trade).length;
  if (short < 0) throw new RangeError(`a value of ${VALUE_BYTES - short} bytes`);
  trade.ref = hex(8).slice(0, short).padStart(short, "0");
  return Buffer.from(JSON.stringify(trade), "latin1");
}
