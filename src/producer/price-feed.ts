import type { Logger } from "pino";
import { messageOf } from "../errors.ts";
import type { NewRecord } from "../record-batch/batch-builder.ts";
import { pause } from "../runtime/backoff.ts";
import type { RecordOutlet } from "./outlet.ts";
import { TYPICAL_PRICES, walkOn } from "./price-walk.ts";
import { BINANCE_TICKER, fetchPrices, type PriceSymbol, type Prices, SYMBOLS } from "./ticker.ts";

export interface PriceFeedOptions {
  /** Without it each symbol has a topic of its own: `btc`, `eth`, `sol`. */
  readonly topic?: string;
  /** Never asks the ticker. */
  readonly simulate?: boolean;
  readonly seed?: number;
  readonly everyMs?: number;
  readonly tickerUrl?: string;
  /** How long to wait for the ticker; less than `everyMs`, so that polls don't meet. */
  readonly tickerTimeoutMs?: number;
  /** Ends after so many polls. */
  readonly polls?: number;
  /** How a price becomes a value, by its topic; as JSON if it isn't given. */
  readonly encode?: (topic: string, price: Price) => Buffer;
}

/** What a record says. */
export interface Price {
  readonly symbol: PriceSymbol;
  readonly price: number;
  readonly currency: "USDT";
  readonly source: PriceSource;
  /** The poll it comes from, from 0. */
  readonly seq: number;
  /** In milliseconds since the epoch. */
  readonly at: number;
}

export interface PriceFeedRun {
  readonly outlet: RecordOutlet;
  /** Ends the feed, after what is under way. */
  readonly stop: AbortSignal;
  readonly log: Logger;
}

export type PriceSource = "ticker" | "simulation";

const EVERY_MS = 3_000;

export function priceTopics({ topic }: PriceFeedOptions): string[] {
  return topic === undefined ? SYMBOLS.map(topicOf) : [topic];
}

/**
 * Sends the three prices every three seconds until stopped. While the ticker can't be used, a random walk from the last
 * known prices stands in for it, with a notice at each change. Returns how many records were acknowledged.
 * @throws the first failure to deliver one
 */
export async function runPriceFeed(options: PriceFeedOptions, { outlet, stop, log }: PriceFeedRun): Promise<number> {
  const { everyMs = EVERY_MS, encode = asJson } = options;
  const quotes = new Quotes(options, log);
  const startedAt = performance.now();
  let acknowledged = 0;
  for (let poll = 0; poll < (options.polls ?? Number.POSITIVE_INFINITY); poll++) {
    try {
      // On an absolute timetable: a slow poll doesn't shift those after it.
      await pause(Math.max(0, startedAt + poll * everyMs - performance.now()), stop);
      const { prices, source } = await quotes.next(poll, stop);
      const at = Date.now();
      await Promise.all(
        SYMBOLS.map(async (symbol) => {
          const topic = options.topic ?? topicOf(symbol);
          const price: Price = { symbol, price: prices[symbol], currency: "USDT", source, seq: poll, at };
          await outlet.ready();
          await outlet.send(topic, priceRecord(price, encode(topic, price)));
          acknowledged++;
        }),
      );
    } catch (error) {
      if (stop.aborted && error === stop.reason) break;
      throw error;
    }
  }
  return acknowledged;
}

/** Where the prices come from, and the notice when that changes. */
class Quotes {
  readonly #options: PriceFeedOptions;
  readonly #log: Logger;
  #source: PriceSource | undefined;
  #prices: Prices = TYPICAL_PRICES;

  constructor(options: PriceFeedOptions, log: Logger) {
    this.#options = options;
    this.#log = log;
  }

  async next(poll: number, stop: AbortSignal): Promise<{ prices: Prices; source: PriceSource }> {
    const { simulate = false, seed = 1, everyMs = EVERY_MS } = this.#options;
    const { tickerUrl = BINANCE_TICKER, tickerTimeoutMs = everyMs * 0.8 } = this.#options;
    if (simulate) return this.#simulated(seed, poll);
    try {
      this.#prices = await fetchPrices(tickerUrl, tickerTimeoutMs, stop);
      if (this.#source === "simulation") this.#log.info("the ticker answers again: prices are real from here on");
      this.#source = "ticker";
      return { prices: this.#prices, source: "ticker" };
    } catch (error) {
      stop.throwIfAborted();
      if (this.#source !== "simulation") {
        this.#log.warn({ reason: messageOf(error) }, "the ticker can't be used: prices are simulated until it answers");
      }
      return this.#simulated(seed, poll);
    }
  }

  #simulated(seed: number, poll: number): { prices: Prices; source: PriceSource } {
    this.#source = "simulation";
    this.#prices = walkOn(this.#prices, seed, poll);
    return { prices: this.#prices, source: "simulation" };
  }
}

function priceRecord({ symbol, at }: Price, value: Buffer): NewRecord {
  return { key: Buffer.from(symbol, "latin1"), value, timestamp: at };
}

function asJson(_topic: string, price: Price): Buffer {
  return Buffer.from(JSON.stringify(price));
}

function topicOf(symbol: PriceSymbol): string {
  return symbol.toLowerCase();
}
