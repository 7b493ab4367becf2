import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { test } from "node:test";
import { pino } from "pino";
import { isRetryable, SpillwayError } from "../../../src/errors.ts";
import { KAFKA_DEFAULTS } from "../../../src/kafka/options.ts";
import { LAG_DEFAULTS, type LagOptions } from "../../../src/lag/options.ts";
import { readLag, watchLag } from "../../../src/lag/read-lag.ts";

const log = pino({ level: "silent" });

/** A broker that takes connections and says nothing. */
async function silentBroker(): Promise<{ readonly port: number } & AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => sockets.add(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

function optionsOf(port: number, options: Partial<LagOptions> = {}): LagOptions {
  const kafka = { ...KAFKA_DEFAULTS, brokers: [`127.0.0.1:${port}`] };
  return { ...LAG_DEFAULTS, kafka, deadlineMs: 300, intervalMs: 10, ...options };
}

test("a look ends at its deadline, whatever hangs", async () => {
  await using broker = await silentBroker();
  const signal = AbortSignal.timeout(60_000);
  await assert.rejects(readLag(optionsOf(broker.port), { log, signal }), (error: unknown) => {
    assert.ok(error instanceof SpillwayError && isRetryable(error), String(error));
    return true;
  });
});

test("a watch goes on while no broker answers, says so each time, and ends when it is told to", async () => {
  await using broker = await silentBroker();
  const stop = new AbortController();
  const failures: string[] = [];
  const failed = ({ code }: SpillwayError) => {
    failures.push(code);
    if (failures.length === 3) stop.abort();
  };
  for await (const _report of watchLag(optionsOf(broker.port), { log, signal: stop.signal }, failed))
    assert.fail("a report");
  assert.deepEqual(failures, ["TIMEOUT", "TIMEOUT", "TIMEOUT"]);
});

test("a look under way ends with its signal", async () => {
  await using broker = await silentBroker();
  const stop = new AbortController();
  const reading = readLag(optionsOf(broker.port, { deadlineMs: 60_000 }), { log, signal: stop.signal });
  setTimeout(() => stop.abort(new Error("enough")), 50);
  await assert.rejects(reading, /enough/);
});
