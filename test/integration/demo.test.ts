import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { MongoClient } from "mongodb";
import pino from "pino";
import { runDemo } from "../../src/demo/demo.ts";
import type { DemoOptions, DemoParts } from "../../src/demo/parts.ts";
import { type TestServices, testServices } from "../helpers/services.ts";

const MAIN = resolve(import.meta.dirname, "../../src/cli/main.ts");
const MINUTE = 60_000;
const RECORDS = 6_000;

let services: TestServices;
let directory: string;

before(
  async () => {
    services = await testServices();
    directory = await mkdtemp(join(tmpdir(), "spillway-demo-test-"));
  },
  { timeout: 10 * MINUTE },
);

after(async () => {
  if (directory !== undefined) await rm(directory, { recursive: true });
});

/** `spillway demo` on the tests' services. */
class DemoCommand implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #ended: Promise<number | null>;
  output = "";

  constructor(...args: string[]) {
    this.#process = spawn(process.execPath, [MAIN, "demo", ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, SPILLWAY_BROKERS: services.brokers.join(","), SPILLWAY_MONGO_URL: services.mongoUrl },
    });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.output += text;
      });
    }
    this.#ended = once(this.#process, "close").then(([code]) => code);
  }

  async ended(): Promise<number | null> {
    return await this.#ended;
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  async says(pattern: RegExp): Promise<RegExpExecArray> {
    for (let turn = 0; turn < 600; turn++) {
      const found = pattern.exec(this.output);
      if (found !== null) return found;
      await pause(100);
    }
    throw new Error(`it did not say ${pattern} within a minute but:\n${this.output}`);
  }

  /** The name of its hot topic, which is on the command lines of the relay. */
  async topics(): Promise<{ hot: string; wide: string }> {
    const [, hot = "", wide = ""] = await this.says(/Relay: (\S+) → (\S+)\./);
    return { hot, wide };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("SIGKILL");
    await this.#ended;
  }
}

/** Processes with this word on their command line. */
async function processesNaming(word: string): Promise<number[]> {
  const found: number[] = [];
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const commandLine = await readFile(`/proc/${entry}/cmdline`, "utf8").catch(() => "");
    if (commandLine.includes(word)) found.push(Number(entry));
  }
  return found;
}

async function noneLeft(word: string): Promise<void> {
  for (let turn = 0; turn < 100 && (await processesNaming(word)).length > 0; turn++) await pause(100);
  assert.deepEqual(await processesNaming(word), []);
}

test("the demo accounts for every record, writes its result and leaves nothing running", {
  timeout: 4 * MINUTE,
}, async () => {
  const json = join(directory, "result.json");
  await using demo = new DemoCommand("--records", String(RECORDS), "--json", json);
  const { hot, wide } = await demo.topics();
  assert.equal((await processesNaming(wide)).length, 2);
  assert.equal(await demo.ended(), 0, demo.output);
  const result = JSON.parse(await readFile(json, "utf8"));
  assert.deepEqual(Object.keys(result), [
    "produced",
    "relayed",
    "written",
    "missing",
    "duplicates",
    "orderViolations",
    "seconds",
    "relayRecordsPerSecond",
    "writtenPerSecond",
    "liveP99QuietMs",
    "liveP99FloodMs",
  ]);
  const { produced, relayed, written, missing, duplicates, orderViolations, ...rates } = result;
  assert.deepEqual([produced, relayed, written], [RECORDS, RECORDS, RECORDS]);
  assert.deepEqual([missing, duplicates, orderViolations], [0, 0, 0]);
  for (const [name, rate] of Object.entries(rates)) assert.ok(Number(rate) > 0, name);
  const [, quiet, flood] = await demo.says(/([\d,]+) in quiet, ([\d,]+) in flood/);
  for (const messages of [quiet, flood]) assert.ok(Number(messages?.replaceAll(",", "")) >= 300, demo.output);
  await noneLeft(hot);
});

describe("a demo that doesn't get to its end", { timeout: 4 * MINUTE }, () => {
  test("Ctrl-C ends it with everything cleaned up", async () => {
    await using demo = new DemoCommand();
    const { hot } = await demo.topics();
    await demo.says(/Quiet:/);
    demo.kill("SIGINT");
    assert.equal(await demo.ended(), 9);
    assert.match(demo.output, /stopped before its records were accounted for/);
    assert.deepEqual(await processesNaming(hot), []);
  });

  test("killed, it takes the relay and the sink along", async () => {
    await using demo = new DemoCommand();
    const { hot } = await demo.topics();
    demo.kill("SIGKILL");
    await demo.ended();
    await noneLeft(hot);
  });

  test("a sink that dies fails it, with the sink's end and last lines", async () => {
    await using demo = new DemoCommand();
    const { hot, wide } = await demo.topics();
    await demo.says(/Quiet:/);
    for (const pid of await processesNaming(wide)) {
      if (!(await processesNaming(hot)).includes(pid)) process.kill(pid, "SIGKILL");
    }
    assert.equal(await demo.ended(), 11, demo.output);
    assert.match(demo.output, /The sink ended with signal SIGKILL\. Its last lines:/);
    assert.deepEqual(await processesNaming(hot), []);
  });

  test("a file that can't be written is known before anything is started", async () => {
    await using demo = new DemoCommand("--json", join(directory, "nowhere", "result.json"));
    assert.equal(await demo.ended(), 2);
    assert.doesNotMatch(demo.output, /Relay/);
  });
});

describe("the demo's own parts", { timeout: 4 * MINUTE }, () => {
  const pace = { quietMs: 1_000, floodMs: 3_000 };

  async function run(options: Partial<DemoOptions>, onOutput: (text: string) => void = () => {}) {
    let output = "";
    let stops = 0;
    const parts: DemoParts = {
      startServices: async () => ({
        ...{ brokers: services.brokers, mongoUrl: services.mongoUrl, database: services.database },
        stopHint: "Ask the tests.",
        stop: async () => {
          stops++;
        },
      }),
      spillway: [process.execPath, MAIN],
      output: {
        write: (text) => {
          output += text;
          onOutput(text);
        },
      },
      log: pino({ level: "silent" }),
      signal: new AbortController().signal,
    };
    const outcome = await runDemo({ records: RECORDS, keep: false, pace, ...options }, parts).catch((error) => error);
    return { outcome, output, stops };
  }

  test("--keep leaves the services up and says how to reach them", async () => {
    const { outcome, output, stops } = await run({ keep: true });
    assert.equal(outcome.written, RECORDS, output);
    assert.equal(stops, 0);
    for (const text of [services.brokers.join(", "), services.mongoUrl, "Ask the tests."]) {
      assert.ok(output.includes(text), text);
    }
  });

  test("a document that disappears is missing: the demo fails and writes its result all the same", async () => {
    const json = join(directory, "missing.json");
    await using client = new MongoClient(services.mongoUrl);
    let deleting: Promise<unknown> | undefined;
    const { outcome, output, stops } = await run({ json }, (text) => {
      const [, collection] = /Sink: \S+ → (\S+) in/.exec(text) ?? [];
      if (collection !== undefined) deleting = deleteOne(client, collection);
    });
    await deleting;
    assert.deepEqual([outcome.code, stops], ["RECORDS_UNACCOUNTED", 1], output);
    assert.match(output, /Missing: record 0 of live-/);
    assert.equal(JSON.parse(await readFile(json, "utf8")).missing, 1);
  });

  async function deleteOne(client: MongoClient, name: string): Promise<void> {
    const collection = client.db("spillway").collection(name);
    for (let turn = 0; turn < 600; turn++) {
      // The first live messages, by now far behind what is looked at.
      const found = await collection.findOne({ key: "live-0000", seq: 0 });
      if (found !== null) {
        await pause(2_000);
        await collection.deleteOne({ _id: found._id });
        return;
      }
      await pause(100);
    }
  }
});
