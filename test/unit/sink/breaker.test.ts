import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Breaker } from "../../../src/sink/breaker.ts";
import { Outage } from "../../../src/sink/outage.ts";
import { newSinkStats } from "../../../src/sink/stats.ts";
import type { Availability } from "../../../src/sink/target.ts";
import { until } from "./checks.ts";
import { keptLog } from "./memory.ts";

const NEVER = new AbortController().signal;
const WRITERS = 16;

/** A database that can be away, and the breaker before it. Its writers end with the test. */
class Away {
  readonly #over = new AbortController();
  isAway = true;
  /** Answers a ping and takes no write: a full disk. */
  answersPing = false;
  probes = 0;
  attempts = 0;
  sideBySide = 0;
  most = 0;
  readonly lines;
  readonly stats = newSinkStats();
  readonly breaker: Breaker;

  constructor(test?: TestContext) {
    test?.after(() => this.#over.abort());
    const { log, lines } = keptLog();
    this.lines = lines;
    this.breaker = new Breaker({
      outage: new Outage("the database", log, this.stats),
      ...{ probe: () => this.#probe(), backoff: { baseMs: 1, maxMs: 4 }, fullAt: WRITERS },
    });
  }

  /** One writer, which writes `count` batches and tries each until it is written. */
  async writer(count: number, signal: AbortSignal = this.#over.signal): Promise<void> {
    for (let written = 0; written < count; ) {
      const attempt = async () => {
        this.attempts++;
        this.sideBySide++;
        this.most = Math.max(this.most, this.sideBySide);
        await new Promise(setImmediate);
        this.sideBySide--;
        if (this.isAway) return "ECONNREFUSED";
        written++;
        return undefined;
      };
      await this.breaker.through(attempt, signal);
    }
  }

  async #probe(): Promise<Availability> {
    this.probes++;
    return this.isAway && !this.answersPing ? { kind: "away", message: "ECONNREFUSED" } : { kind: "available" };
  }
}

test("in an outage few attempts are made, however many writers wait, and one asks whether it is over", async (context) => {
  const database = new Away(context);
  const writers = Promise.all(Array.from({ length: WRITERS }, () => database.writer(5)));
  await until(() => database.probes >= 20, "it has asked twenty times");
  assert.ok(database.breaker.isOpen);
  // Those that were under way when it tripped, and the first writers' second ones.
  assert.ok(database.attempts <= WRITERS + 2, `${database.attempts} attempts`);
  database.isAway = false;
  await writers;
  assert.ok(!database.breaker.isOpen);
  assert.deepEqual(
    database.lines.map(({ level }) => level),
    ["warn", "info"],
  );
  assert.equal(database.stats.awaySince, undefined);
});

test("a recovery begins with one attempt and doubles: no stampede", async (context) => {
  const database = new Away(context);
  const writers = Array.from({ length: WRITERS }, () => database.writer(20));
  await until(() => database.probes >= 3, "it is open");
  database.most = 0;
  database.attempts = 0;
  const seen: number[] = [];
  const { breaker } = database;
  database.isAway = false;
  await until(() => {
    if (breaker.isOpen) seen.push(database.sideBySide);
    return !breaker.isOpen;
  }, "it is closed again");
  await Promise.all(writers);
  assert.ok(
    seen.every((count) => count <= WRITERS / 2),
    seen.join(),
  );
});

test("a database that answers but takes no write is asked less and less, and not flooded", async (context) => {
  const database = new Away(context);
  database.answersPing = true;
  const writers = Promise.all(Array.from({ length: WRITERS }, () => database.writer(1)));
  await until(() => database.probes >= 10, "it was asked ten times");
  assert.ok(
    database.attempts <= WRITERS + 2 + database.probes,
    `${database.attempts} attempts, ${database.probes} probes`,
  );
  database.isAway = false;
  await writers;
});

test("single failures between successes trip nothing", async () => {
  const { breaker } = new Away();
  for (let i = 0; i < 50; i++) await breaker.through(async () => (i % 2 === 0 ? "reset" : undefined), NEVER);
  assert.equal(breaker.isOpen, false);
});

test("who waits can be told to leave; another asks on", async (context) => {
  const database = new Away(context);
  const leave = new AbortController();
  const left = Promise.allSettled([database.writer(1, leave.signal), database.writer(1, leave.signal)]);
  const stays = database.writer(1);
  await until(() => database.probes >= 2, "it is open");
  leave.abort(new Error("the generation is over"));
  for (const { status } of await left) assert.equal(status, "rejected");
  database.isAway = false;
  await stays;
});

test("what no retry mends ends whoever asks", async () => {
  const { log } = keptLog();
  const refused = new Error("refused");
  const breaker = new Breaker({
    outage: new Outage("x", log, newSinkStats()),
    ...{ probe: () => Promise.reject(refused), backoff: { baseMs: 1, maxMs: 1 }, fullAt: 1 },
  });
  for (let i = 0; i < 3; i++) await breaker.through(async () => "away", NEVER);
  await assert.rejects(
    breaker.through(async () => undefined, NEVER),
    (error) => error === refused,
  );
});
