import { randomNormal } from "./random.ts";
import { type Prices, SYMBOLS } from "./ticker.ts";

/** Where a walk begins that nothing better is known for. */
export const TYPICAL_PRICES: Prices = { BTC: 65_000, ETH: 3_200, SOL: 150 };

/** The typical move in one step, as a share of the price: about 60 % a year at one step every 3 seconds. */
const DEVIATION = 0.0002;

/** The prices one step on: a random walk of which step `step` is the same for the same seed. */
export function walkOn(from: Prices, seed: number, step: number): Prices {
  const next = { ...from };
  for (const [stream, symbol] of SYMBOLS.entries()) {
    const moved = from[symbol] * Math.exp(DEVIATION * randomNormal(seed, stream, step));
    // As the ticker has it: to the cent, and never worthless.
    next[symbol] = Math.max(0.01, Math.round(moved * 100) / 100);
  }
  return next;
}
