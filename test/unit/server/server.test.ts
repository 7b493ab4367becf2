import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import type { Readiness } from "../../../src/health/watchdog.ts";
import { newRegistry } from "../../../src/metrics/process-metrics.ts";
import { type Change, openServer } from "../../../src/server/server.ts";
import { showsToken } from "../../../src/server/token.ts";

const TOKEN = "s3cret-token";
const LOG = pino({ level: "silent" });

async function opened(control?: { readonly token: string | undefined }) {
  const changes: Change[] = [];
  const answer: { readiness: Readiness } = { readiness: { ready: true, reasons: [] } };
  const change = async (given: Change) => {
    changes.push(given);
    return given;
  };
  const server = await openServer(
    { host: "127.0.0.1", port: 0 },
    {
      metrics: newRegistry(),
      readiness: () => answer.readiness,
      status: () => ({ fine: true }),
      control: control === undefined ? undefined : { ...control, change },
    },
    LOG,
  );
  const post = async (path: string, headers: Record<string, string> = {}, body?: unknown) => {
    const type = body === undefined ? {} : { "content-type": "application/json" };
    const text = body === undefined ? null : JSON.stringify(body);
    return await fetch(server.url + path, { method: "POST", headers: { ...headers, ...type }, body: text });
  };
  return { server, changes, answer, post };
}

test("health, status and metrics are for whoever asks", async () => {
  const { server, answer } = await opened();
  await using _closed = server;
  assert.equal((await fetch(`${server.url}/health/live`)).status, 200);
  assert.deepEqual(await (await fetch(`${server.url}/status`)).json(), { fine: true });
  const metrics = await fetch(`${server.url}/metrics`);
  assert.match(metrics.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
  assert.match(await metrics.text(), /^nodejs_eventloop_lag_seconds \S+$/m);
  assert.equal((await fetch(`${server.url}/health/ready`)).status, 200);
  answer.readiness = { ready: false, reasons: ["the database is away"] };
  const notReady = await fetch(`${server.url}/health/ready`);
  assert.equal(notReady.status, 503);
  assert.deepEqual(await notReady.json(), { ready: false, reasons: ["the database is away"] });
});

test("orders are taken only from whoever shows the token", async () => {
  const { server, changes, post } = await opened({ token: TOKEN });
  await using _closed = server;
  assert.equal((await post("/pause")).status, 401);
  assert.equal((await post("/pause", { authorization: `Bearer ${TOKEN}x` })).status, 401);
  assert.equal((await post("/pause", { authorization: TOKEN })).status, 401);
  assert.equal((await post("/pause", { authorization: `Bearer ${TOKEN}`, origin: "http://a.example" })).status, 403);
  assert.deepEqual(changes, []);
  assert.equal((await post("/pause", { authorization: `Bearer ${TOKEN}` })).status, 200);
  const limit = { recordsPerSecond: 5, bytesPerSecond: null };
  assert.equal((await post("/throttle", { authorization: `bearer ${TOKEN}` }, limit)).status, 200);
  assert.equal((await post("/throttle", { authorization: `Bearer ${TOKEN}` }, { recordsPerSecond: "5" })).status, 400);
  assert.deepEqual(changes, [{ paused: true }, limit]);
});

test("without a token nobody gives orders, and where there is nothing to order there is no such place", async () => {
  const closed = await opened({ token: undefined });
  await using _closed = closed.server;
  const refused = await closed.post("/resume", { authorization: "Bearer " });
  assert.equal(refused.status, 403);
  assert.match(await refused.text(), /SPILLWAY_CONTROL_TOKEN/);
  const sink = await opened();
  await using _sink = sink.server;
  assert.equal((await sink.post("/pause", { authorization: `Bearer ${TOKEN}` })).status, 404);
});

test("a port that is taken is a mistake of the configuration", async () => {
  const { server } = await opened();
  await using _closed = server;
  const port = Number(new URL(server.url).port);
  const served = { metrics: newRegistry(), readiness: () => ({ ready: true, reasons: [] }), status: () => ({}) };
  await assert.rejects(openServer({ host: "127.0.0.1", port }, served, LOG), { code: "CONFIG_INVALID" });
});

test("a token is shown whole or not at all", () => {
  assert.ok(showsToken("Bearer abc", "abc"));
  for (const shown of [undefined, "", "abc", "Bearer", "Bearer ab", "Bearer abcd", "Bearer ABC", "Basic abc"]) {
    assert.ok(!showsToken(shown, "abc"), String(shown));
  }
});
