import assert from "node:assert/strict";
import type { RequestListener } from "node:http";
import { test } from "node:test";
import fc from "fast-check";
import pino from "pino";
import { type PriceFeedOptions, runPriceFeed } from "../../../src/producer/price-feed.ts";
import { TYPICAL_PRICES, walkOn } from "../../../src/producer/price-walk.ts";
import { fetchPrices, parsePrices, SYMBOLS } from "../../../src/producer/ticker.ts";
import { httpDouble } from "../../helpers/http-double.ts";
import { OutletDouble } from "./outlet-double.ts";

/** Of a poll that is answered: never met, however busy the machine. */
const TIMEOUT_MS = 10_000;
const never = new AbortController().signal;

/** As Binance answers. */
const ANSWER = JSON.stringify([
  { symbol: "BTCUSDT", price: "67012.34000000" },
  { symbol: "ETHUSDT", price: "3456.78000000" },
  { symbol: "SOLUSDT", price: "178.90000000" },
]);
const PRICES = { BTC: 67012.34, ETH: 3456.78, SOL: 178.9 };

/** A local server in the ticker's place. */
async function withTicker(answer: RequestListener, work: (url: string) => Promise<void>): Promise<void> {
  await using server = await httpDouble(answer);
  await work(`${server.url}/api/v3/ticker/price`);
}

test("the ticker is asked for all three symbols at once", async () => {
  let asked: string | undefined;
  await withTicker(
    (request, response) => {
      asked = request.url;
      response.end(ANSWER);
    },
    async (url) => assert.deepEqual(await fetchPrices(url, TIMEOUT_MS, never), PRICES),
  );
  const { pathname, searchParams } = new URL(asked ?? "", "http://ticker");
  assert.equal(pathname, "/api/v3/ticker/price");
  assert.deepEqual(JSON.parse(searchParams.get("symbols") ?? ""), ["BTCUSDT", "ETHUSDT", "SOLUSDT"]);
});

const FAULTS: Record<
  string,
  { readonly answer: RequestListener; readonly error: object; readonly timeoutMs?: number }
> = {
  "an error status": {
    answer: (_, response) => response.writeHead(418).end("banned"),
    error: { code: "PROTOCOL", message: /status is 418/ },
  },
  "a redirect": {
    answer: (_, response) => response.writeHead(302, { location: "http://127.0.0.1:1/" }).end(),
    error: { code: "PROTOCOL" },
  },
  "no answer": { answer: () => {}, error: { code: "TIMEOUT" }, timeoutMs: 100 },
  "an answer that stops half-way": {
    answer: (_, response) => response.write(ANSWER.slice(0, 40)),
    error: { code: "TIMEOUT" },
    timeoutMs: 100,
  },
  "a connection that is cut": {
    answer: (_, response) => {
      response.write("[");
      response.destroy();
    },
    error: { code: "PROTOCOL" },
  },
  "an endless answer": {
    answer: (_, response) => {
      const more = (): void => {
        if (response.destroyed) return;
        response.write("x".repeat(8_192));
        setImmediate(more);
      };
      more();
    },
    error: { code: "PROTOCOL", message: /longer than/ },
  },
  "a web page": {
    answer: (_, response) => response.end("<html>please log in</html>"),
    error: { code: "PROTOCOL", message: /isn't JSON/ },
  },
};

for (const [fault, { answer, error, timeoutMs = TIMEOUT_MS }] of Object.entries(FAULTS)) {
  test(`${fault} is an error that may pass`, async () => {
    await withTicker(answer, async (url) => {
      await assert.rejects(fetchPrices(url, timeoutMs, never), { ...error, retryable: true });
    });
  });
}

test("a port where nobody listens is an error that names the reason", async () => {
  let closed = "";
  await withTicker(
    () => {},
    async (url) => {
      closed = url;
    },
  );
  await assert.rejects(fetchPrices(closed, 1_000, never), { code: "PROTOCOL", message: /ECONNREFUSED/ });
});

test("a stop ends a poll that is under way, with the stop's reason", async () => {
  await withTicker(
    () => {},
    async (url) => {
      const stop = new AbortController();
      setTimeout(() => stop.abort(new Error("enough")), 20);
      await assert.rejects(fetchPrices(url, 5_000, stop.signal), /enough/);
    },
  );
});

test("only three positive decimal prices make an answer", () => {
  assert.deepEqual(parsePrices(ANSWER), PRICES);
  assert.deepEqual(parsePrices(JSON.stringify([null, 7, { symbol: "X" }, ...JSON.parse(ANSWER)])), PRICES);
  const changed = (price: unknown): string =>
    JSON.stringify(
      JSON.parse(ANSWER).map((entry: object, index: number) => (index === 1 ? { ...entry, price } : entry)),
    );
  for (const price of ["", " 1", "0", "-1", "1e3", "NaN", "Infinity", "0x10", "1".repeat(400), 3456.78, null, {}]) {
    assert.throws(() => parsePrices(changed(price)), { code: "PROTOCOL", message: /no price for ETH/ }, `${price}`);
  }
  for (const text of ["", "[]", "{}", "null", '{"code":-1121}']) {
    assert.throws(() => parsePrices(text), { code: "PROTOCOL" }, text);
  }
  fc.assert(
    fc.property(fc.json(), (text) => {
      assert.throws(() => parsePrices(text), { code: "PROTOCOL" });
    }),
  );
});

test("the walk is the same for the same seed, moves every price a little and never loses one", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 0, max: 1e6 }), (seed, step) => {
      const next = walkOn(TYPICAL_PRICES, seed, step);
      assert.deepEqual(walkOn(TYPICAL_PRICES, seed, step), next);
      for (const symbol of SYMBOLS) {
        assert.ok(Math.abs(next[symbol] / TYPICAL_PRICES[symbol] - 1) < 0.01);
      }
    }),
  );
  let prices = TYPICAL_PRICES;
  for (let step = 0; step < 10_000; step++) prices = walkOn(prices, 3, step);
  for (const symbol of SYMBOLS) {
    assert.notEqual(prices[symbol], TYPICAL_PRICES[symbol]);
    assert.ok(prices[symbol] > 0);
  }
});

interface FeedResult {
  readonly outlet: OutletDouble;
  readonly notices: readonly { readonly level: number; readonly msg: string; readonly reason?: string }[];
}

async function feed(options: PriceFeedOptions): Promise<FeedResult> {
  const outlet = new OutletDouble();
  const lines: string[] = [];
  const log = pino({ level: "info" }, { write: (line: string) => void lines.push(line) });
  await runPriceFeed({ everyMs: 20, tickerTimeoutMs: TIMEOUT_MS, ...options }, { outlet, stop: never, log });
  return { outlet, notices: lines.map((line) => JSON.parse(line)) };
}

test("each symbol has its topic, or all share one, keyed by symbol", async () => {
  const apart = await feed({ simulate: true, polls: 2 });
  assert.deepEqual(
    apart.outlet.sent.map(({ topic }) => topic),
    ["btc", "eth", "sol", "btc", "eth", "sol"],
  );
  const together = await feed({ simulate: true, polls: 1, topic: "prices" });
  assert.deepEqual(new Set(together.outlet.sent.map(({ topic }) => topic)), new Set(["prices"]));
  assert.deepEqual(together.outlet.keys, ["BTC", "ETH", "SOL"]);
  assert.deepEqual(together.notices, []);
});

test("the same seed gives the same simulated prices", async () => {
  const prices = async (seed: number): Promise<unknown[]> =>
    (await feed({ simulate: true, polls: 5, seed })).outlet.values.map(({ price }) => price);
  assert.deepEqual(await prices(5), await prices(5));
  assert.notDeepEqual(await prices(5), await prices(6));
});

test("while the ticker fails, prices are simulated from the last ones known; one notice per change", async () => {
  const fails = [false, false, true, true, true, false, true, false];
  let asked = 0;
  await withTicker(
    (_, response) => {
      if (fails[asked++] === true) response.writeHead(503).end();
      else response.end(ANSWER);
    },
    async (tickerUrl) => {
      const { outlet, notices } = await feed({ polls: fails.length, tickerUrl, topic: "prices" });
      const bitcoin = outlet.values.filter(({ symbol }) => symbol === "BTC");
      assert.deepEqual(
        bitcoin.map(({ source }) => source === "simulation"),
        fails,
      );
      assert.equal(bitcoin[1]?.price, PRICES.BTC);
      assert.notEqual(bitcoin[2]?.price, PRICES.BTC);
      assert.ok(Math.abs(Number(bitcoin[4]?.price) - PRICES.BTC) < 200);
      assert.deepEqual(
        notices.map(({ level }) => level),
        [40, 30, 40, 30],
      );
      assert.match(notices[0]?.reason ?? "", /status is 503/);
    },
  );
});

test("without any network the feed runs on the simulation, and says so once", async () => {
  const { outlet, notices } = await feed({ polls: 4, tickerUrl: "http://127.0.0.1:1/ticker" });
  assert.equal(outlet.sent.length, 12);
  assert.equal(notices.length, 1);
});

test("a stop ends the feed while it waits, and while it polls", async () => {
  const log = pino({ level: "silent" });
  await withTicker(
    () => {},
    async (tickerUrl) => {
      for (const options of [
        { simulate: true, everyMs: 60_000 },
        { tickerUrl, tickerTimeoutMs: 60_000 },
      ]) {
        const stop = new AbortController();
        setTimeout(() => stop.abort(), 30);
        const startedAt = performance.now();
        await runPriceFeed(options, { outlet: new OutletDouble(), stop: stop.signal, log });
        assert.ok(performance.now() - startedAt < 5_000);
      }
    },
  );
});
