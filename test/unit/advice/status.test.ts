import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { askStatus } from "../../../src/advice/status.ts";
import { newSinkStats } from "../../../src/sink/stats.ts";
import { WriteMeter } from "../../../src/sink/write-sums.ts";
import { DEFAULTS } from "./group-double.ts";

const STATUS = {
  ...{ group: "g", target: "mongodb", routes: [{ topic: "t", collection: "c" }], settings: DEFAULTS },
  ...{ stats: newSinkStats(), writes: new WriteMeter().sums, cpuSeconds: 1.5 },
};

/** A server of one answer. */
async function answering(code: number, body: string) {
  const server = createServer((_request, response) => response.writeHead(code).end(body));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const signal = AbortSignal.timeout(30_000);

test("a sink's status is read, with a ping once there is one", async () => {
  await using sink = await answering(200, JSON.stringify(STATUS));
  const { group, settings, pingMs } = await askStatus(sink.url, signal);
  assert.deepEqual({ group, settings, pingMs }, { group: "g", settings: DEFAULTS, pingMs: undefined });
  await using later = await answering(200, JSON.stringify({ ...STATUS, pingMs: 3 }));
  assert.equal((await askStatus(later.url, signal)).pingMs, 3);
});

test("whatever else answers, or doesn't, is named, with what to do", async () => {
  const { settings: _, ...older } = STATUS;
  const others = [
    [200, JSON.stringify(older), /settings/],
    [200, JSON.stringify({ ...STATUS, settings: { ...DEFAULTS, lanes: -1 } }), /settings\.lanes/],
    [200, "<html>", /can't be asked/],
    [503, "{}", /503/],
  ] as const;
  for (const [code, body, message] of others) {
    await using other = await answering(code, body);
    await assert.rejects(askStatus(other.url, signal), { code: "CONFIG_INVALID", message });
  }
  let gone = "";
  {
    await using closed = await answering(200, "");
    gone = closed.url;
  }
  await assert.rejects(askStatus(gone, signal), { code: "CONFIG_INVALID", message: /--listen/ });
});
