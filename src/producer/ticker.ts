import { messageOf, SpillwayError } from "../errors.ts";

/** The symbols of the price feed, in the order of their topics. */
export const SYMBOLS = ["BTC", "ETH", "SOL"] as const;
export type PriceSymbol = (typeof SYMBOLS)[number];

/** US dollars (USDT) by symbol. */
export type Prices = Readonly<Record<PriceSymbol, number>>;

export const BINANCE_TICKER = "https://api.binance.com/api/v3/ticker/price";

/** A whole answer has some 150 bytes. */
const LONGEST_ANSWER = 16 * 1024;
const QUOTE = "USDT";

/**
 * Asks Binance's public ticker for the prices of now.
 * @throws SpillwayError retryable: TIMEOUT, or PROTOCOL for no answer or one that isn't three prices; the signal's reason
 */
export async function fetchPrices(url: string, timeoutMs: number, signal: AbortSignal): Promise<Prices> {
  const deadline = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(tickerUrl(url), { signal: AbortSignal.any([signal, deadline]), redirect: "error" });
    if (!response.ok) {
      await response.body?.cancel();
      throw answer(`its status is ${response.status}`);
    }
    return parsePrices(await boundedText(response));
  } catch (cause) {
    signal.throwIfAborted();
    if (deadline.aborted) {
      throw new SpillwayError("TIMEOUT", `the ticker gave no answer within ${timeoutMs} ms`, {
        retryable: true,
        cause,
      });
    }
    if (cause instanceof SpillwayError) throw cause;
    throw new SpillwayError("PROTOCOL", `the ticker can't be asked: ${reasonOf(cause)}`, { retryable: true, cause });
  }
}

/** The address that asks for all symbols at once. */
export function tickerUrl(url: string): URL {
  const full = new URL(url);
  full.searchParams.set("symbols", JSON.stringify(SYMBOLS.map((symbol) => symbol + QUOTE)));
  return full;
}

/**
 * Reads `[{"symbol":"BTCUSDT","price":"67000.12000000"}, …]`: in any order, with anything else beside it.
 * @throws SpillwayError PROTOCOL unless every symbol has a positive price
 */
export function parsePrices(text: string): Prices {
  const found = new Map<string, number>();
  for (const entry of parseArray(text)) {
    if (typeof entry !== "object" || entry === null || !("symbol" in entry) || !("price" in entry)) continue;
    const { symbol, price } = entry;
    // Number("") is 0 and Number(" 1 ") is 1: only what looks like a decimal number is a price.
    if (typeof symbol !== "string" || typeof price !== "string" || !/^\d+(\.\d+)?$/.test(price)) continue;
    found.set(symbol, Number(price));
  }
  const priceOf = (symbol: PriceSymbol): number => {
    const price = found.get(symbol + QUOTE);
    if (price === undefined || !(price > 0 && Number.isFinite(price))) throw answer(`it has no price for ${symbol}`);
    return price;
  };
  return { BTC: priceOf("BTC"), ETH: priceOf("ETH"), SOL: priceOf("SOL") };
}

function parseArray(text: string): readonly unknown[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw answer("it isn't JSON");
  }
  if (!Array.isArray(parsed)) throw answer("it isn't a list");
  return parsed;
}

async function boundedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > LONGEST_ANSWER) throw answer(`it is longer than ${LONGEST_ANSWER} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function answer(fault: string): SpillwayError {
  return new SpillwayError("PROTOCOL", `the ticker's answer can't be used: ${fault}`, { retryable: true });
}

/** fetch says "fetch failed" and hides why in the cause. */
function reasonOf(error: unknown): string {
  return error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : messageOf(error);
}
