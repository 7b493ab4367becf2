import assert from "node:assert/strict";
import { test } from "node:test";
import { askStatus } from "../../../src/advice/status.ts";
import { newSinkStats } from "../../../src/sink/stats.ts";
import { WriteMeter } from "../../../src/sink/write-sums.ts";
import { httpDouble } from "../../helpers/http-double.ts";
import { DEFAULTS } from "./group-double.ts";

const STATUS = {
  ...{ group: "g", target: "mongodb", routes: [{ topic: "t", collection: "c" }], settings: DEFAULTS },
  ...{ stats: newSinkStats(), writes: new WriteMeter().sums, cpuSeconds: 1.5 },
};

/** A server of one answer. */
function answering(code: number, body: string) {
  return httpDouble((_request, response) => response.writeHead(code).end(body));
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
    [200, JSON.stringify({ ...STATUS, settings: { ...DEFAULTS, writers: -1 } }), /settings\.writers/],
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
