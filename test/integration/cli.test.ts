import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, describe, test } from "node:test";
import { MongoClient } from "mongodb";
import type { Java } from "../../services/kafka/java.ts";
import { freePort } from "../../services/ports.ts";
import { waitUntil } from "../../services/wait-until.ts";
import { consume, kafkaOf, makeTopic, produceAll } from "../helpers/kafka.ts";
import { testServices, uniqueName } from "../helpers/services.ts";

const MAIN = resolve(import.meta.dirname, "../../src/cli/main.ts");
const DEADLINE_MS = 30_000;

const directory = mkdtempSync(join(tmpdir(), "spillway-cli-"));
after(() => rmSync(directory, { recursive: true }));

interface CliRun {
  readonly child: ChildProcess;
  /** Resolves when standard error holds the text. */
  logs(text: string): Promise<void>;
  readonly done: Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>;
}

/** Runs the command as a user would, with no option from this process's environment. */
function start(args: readonly string[], env: Readonly<Record<string, string>> = {}, cwd = directory): CliRun {
  const { PATH = "", HOME = "" } = process.env;
  const marker = process.env["SPILLWAY_TEST_RUN"] ?? "";
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd,
    env: { PATH, HOME, SPILLWAY_TEST_RUN: marker, ...env },
    timeout: DEADLINE_MS,
    killSignal: "SIGKILL",
  });
  const output = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output.stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    output.stderr += text;
  });
  const done = once(child, "close").then(([code]) => ({ code: code as number | null, ...output }));
  return {
    child,
    done,
    async logs(text) {
      const ended = done.then(() => "ended" as const);
      while (!output.stderr.includes(text)) {
        if ((await Promise.race([ended, once(child.stderr, "data")])) === "ended") {
          assert.fail(`it ended without ${text}:\n${output.stderr}`);
        }
      }
    },
  };
}

async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return await start(args, env).done;
}

/** What Kafka's own tool says of a group. */
async function stateOf(group: string, java: Java, brokers: readonly string[]) {
  const tool = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
  const args = ["--bootstrap-server", brokers.join(","), "--describe", "--group", group];
  const { stdout, stderr } = await java.runTool(tool, args);
  // GROUP TOPIC PARTITION CURRENT-OFFSET …; a partition without commits has a dash there.
  const offsets = [...stdout.matchAll(/^\S+ +\S+ +\d+ +(\d+) /gm)].map(([, offset]) => Number(offset));
  return {
    committed: offsets.reduce((sum, offset) => sum + offset, 0),
    hasMembers: !(stdout + stderr).includes("has no active members"),
  };
}

describe("the command line", () => {
  test("help names every command and exits 0", async () => {
    const { code, stdout } = await run(["--help"]);
    assert.equal(code, 0);
    for (const command of ["relay", "sink", "lag", "verify", "handback", "produce", "demo", "services", "config"]) {
      assert.match(stdout, new RegExp(`^ {2}${command} `, "m"));
    }
  });

  test("no command shows the help and exits 2", async () => {
    const { code, stderr } = await run([]);
    assert.equal(code, 2);
    assert.match(stderr, /^Usage: spillway/);
  });

  test("an unknown command or flag exits 2 with the nearest", async () => {
    const command = await run(["relya"]);
    assert.equal(command.code, 2);
    assert.match(command.stderr, /unknown command 'relya'\n\(Did you mean relay\?\)/);
    const flag = await run(["relay", "--sorce", "x"]);
    assert.equal(flag.code, 2);
    assert.match(flag.stderr, /unknown option '--sorce'\n\(Did you mean --source\?\)/);
  });

  test("a wrong configuration exits 2 and names every problem", async () => {
    const { code, stderr, stdout } = await run(["relay", "--source", "a", "--target", "a", "--batch-bytes", "5x"], {
      SPILLWAY_BROKERS: "nowhere",
    });
    assert.equal(code, 2);
    assert.equal(stdout, "");
    assert.match(stderr, /^spillway: The configuration has 3 problems:\n/);
    assert.match(
      stderr,
      /kafka.brokers is \["nowhere"\]|kafka.brokers is "nowhere" \(environment variable SPILLWAY_BROKERS\)/,
    );
    assert.match(stderr, /relay.batchBytes is "5x" \(flag --batch-bytes\)/);
    assert.doesNotMatch(stderr, /\n\s+at /);
  });
});

describe("config", () => {
  test("shows each value and its source, with secrets masked", async () => {
    const file = join(directory, "spillway.yaml");
    writeFileSync(file, "sink:\n  lanes: 3\n");
    const { code, stdout, stderr } = await run(["config", "--config", file], {
      SPILLWAY_MONGO_URL: "mongodb://me:hunter2hunter2@h/",
      SPILLWAY_LANES: "4",
    });
    assert.equal(code, 0);
    assert.match(stdout, /^sink.lanes +3 +\S+spillway.yaml:2$/m);
    assert.match(stdout, /^mongo.url +mongodb:\/\/me:\*\*\*@h\/ +environment variable SPILLWAY_MONGO_URL$/m);
    assert.match(stdout, /^relay.batchBytes +131072 +default$/m);
    assert.match(stderr, /SPILLWAY_LANES means nothing/);
    assert.doesNotMatch(stdout + stderr, /hunter2/);
  });

  test("checks a command's own line, as JSON", async () => {
    const { code, stdout } = await run([
      "config",
      "--json",
      "relay",
      "--source",
      "hot",
      "--target",
      "wide",
      "--brokers",
      "h:1",
    ]);
    assert.equal(code, 0);
    const settings: { key: string; value: unknown; source: unknown }[] = JSON.parse(stdout);
    const source = settings.find(({ key }) => key === "relay.source");
    assert.deepEqual([source?.value, source?.source], ["hot", { kind: "flag", flag: "--source" }]);
    assert.ok(!settings.some(({ key }) => key.startsWith("sink.")));
    assert.equal((await run(["config", "relay"])).code, 2);
  });
});

describe("secrets", () => {
  test("appear in no output of a failing run, at any log level", async () => {
    const secret = "s3cr3t/with@odd:parts";
    const port = await freePort();
    const { code, stdout, stderr } = await run(
      ["relay", "--source", "a", "--target", "b", "--log-level", "trace", "--connect-deadline-ms", "500"],
      {
        SPILLWAY_BROKERS: `127.0.0.1:${port}`,
        SPILLWAY_SASL_MECHANISM: "plain",
        SPILLWAY_SASL_USERNAME: "me",
        SPILLWAY_SASL_PASSWORD: secret,
        SPILLWAY_MONGO_URL: `mongodb://me:${encodeURIComponent(secret)}@h/`,
      },
    );
    assert.equal(code, 3);
    for (const form of [secret, encodeURIComponent(secret), Buffer.from(secret).toString("base64")]) {
      assert.ok(!(stdout + stderr).includes(form));
    }
  });
});

describe("exit codes", () => {
  test("no broker: 3, within the deadline, and the address is named", async () => {
    const port = await freePort();
    const started = performance.now();
    const { code, stderr } = await run([
      ...["relay", "--source", "a", "--target", "b", "--brokers", `127.0.0.1:${port}`],
      ...["--connect-deadline-ms", "1s"],
    ]);
    assert.equal(code, 3, stderr);
    assert.match(stderr, new RegExp(`spillway: .*127\\.0\\.0\\.1:${port}`));
    assert.ok(performance.now() - started < 15_000);
  });

  test("a broker that accepts and never answers: not 0, within the deadlines", async () => {
    const silent = createServer((socket) => socket.on("error", () => undefined));
    silent.listen(0, "127.0.0.1");
    await once(silent, "listening");
    const address = silent.address();
    const port = typeof address === "object" ? address?.port : undefined;
    try {
      const { code, stderr } = await run([
        ...["relay", "--source", "a", "--target", "b", "--brokers", `127.0.0.1:${port}`],
        ...["--connect-deadline-ms", "2s", "--request-timeout-ms", "1s"],
      ]);
      assert.equal(code, 3, stderr);
    } finally {
      silent.close();
    }
  });

  test("an unknown topic: 6, and it is named", async () => {
    const { brokers } = await testServices();
    const source = uniqueName("nowhere");
    const { code, stderr } = await run([
      ...["relay", "--source", source, "--target", uniqueName("wide"), "--brokers", brokers.join(",")],
    ]);
    assert.equal(code, 6, stderr);
    assert.match(stderr, new RegExp(`spillway: .*${source}`));
  });

  test("a wide topic with another number of partitions: 6", async () => {
    const { brokers } = await testServices();
    const kafka = kafkaOf(brokers);
    const [source, target] = [uniqueName("hot"), uniqueName("wide")];
    await makeTopic(kafka, { topic: source, partitions: 1 });
    await makeTopic(kafka, { topic: target, partitions: 2 });
    const { code, stderr } = await run([
      ...["relay", "--source", source, "--target", target, "--partitions", "3", "--brokers", brokers.join(",")],
    ]);
    assert.equal(code, 6, stderr);
  });
});

describe("the sink", () => {
  test("writes what the topic holds, and at SIGTERM commits, leaves the group and exits 0", async () => {
    const { brokers, java, mongoUrl } = await testServices();
    const kafka = kafkaOf(brokers);
    const [topic, group, database] = [uniqueName("wide"), uniqueName("group"), uniqueName("db")];
    await makeTopic(kafka, { topic, partitions: 4 });
    const records = Array.from({ length: 500 }, (_, i) => ({
      key: Buffer.from(`key-${i % 20}`),
      value: Buffer.from(i === 77 ? "no JSON" : `{"n":${i}}`),
      timestamp: Date.now(),
    }));
    await produceAll(kafka, topic, records);

    const sink = start(["sink", "--topic", topic, "--collection", "prices", "--group", group, "--database", database], {
      SPILLWAY_BROKERS: brokers.join(","),
      SPILLWAY_MONGO_URL: mongoUrl,
    });
    await using client = new MongoClient(mongoUrl);
    const documents = client.db(database).collection("prices");
    const what = "499 documents are there";
    await waitUntil(async () => (await documents.countDocuments()) === 499, { timeoutMs: 60_000, what });
    await consume(kafka, `${topic}.dead-letter`, 1);
    sink.child.kill("SIGTERM");
    const { code, stderr } = await sink.done;
    assert.equal(code, 0, stderr);
    const { committed, hasMembers } = await stateOf(group, java, brokers);
    assert.deepEqual([committed, hasMembers], [records.length, false]);
  });

  test("a topic that isn't there: 6", async () => {
    const { brokers, mongoUrl } = await testServices();
    const topic = uniqueName("nowhere");
    const { code, stderr } = await run(["sink", "--topic", topic], {
      SPILLWAY_BROKERS: brokers.join(","),
      SPILLWAY_MONGO_URL: mongoUrl,
    });
    assert.equal(code, 6, stderr);
    assert.match(stderr, new RegExp(`spillway: .*${topic}`));
  });

  test("a database that is away is waited for, visibly, and the wait can be stopped", async () => {
    const { brokers } = await testServices();
    const topic = uniqueName("wide");
    await makeTopic(kafkaOf(brokers), { topic, partitions: 1 });
    const sink = start(["sink", "--topic", topic, "--server-selection-timeout-ms", "500"], {
      SPILLWAY_BROKERS: brokers.join(","),
      SPILLWAY_MONGO_URL: `mongodb://me:hunter2hunter2@127.0.0.1:${await freePort()}/`,
    });
    await sink.logs('"level":"warn"');
    sink.child.kill("SIGINT");
    const { code, stderr } = await sink.done;
    assert.equal(code, 0, stderr);
    assert.match(stderr, /the database/);
    assert.doesNotMatch(stderr, /hunter2/);
  });
});

describe("the demo", () => {
  test("--docker without an engine: 7, with what to do", async () => {
    const { stderr, code } = await run(["demo", "--docker"], { DOCKER_HOST: "unix:///nowhere/docker.sock" });
    assert.equal(code, 7, stderr);
    assert.match(
      stderr,
      /^spillway: Docker is needed for --docker, but (there is no program|no Docker engine answers)/,
    );
    assert.match(stderr, /Start Docker/);
  });

  test("--docker and given addresses exclude each other", async () => {
    const { stderr, code } = await run(["demo", "--docker", "--brokers", "h:1"]);
    assert.equal(code, 2);
    assert.match(
      stderr,
      /demo.docker \(flag --docker\) starts its own, but kafka.brokers \(flag --brokers\) is set too/,
    );
  });
});

describe("signals", () => {
  test("Ctrl-C on a relay: all is written and committed, the group is left, exit 0", async () => {
    const { brokers, java } = await testServices();
    const kafka = kafkaOf(brokers);
    const [source, target, group] = [uniqueName("hot"), uniqueName("wide"), uniqueName("group")];
    await makeTopic(kafka, { topic: source, partitions: 3 });
    const records = Array.from({ length: 2_000 }, (_, i) => ({
      key: Buffer.from(`key-${i % 50}`),
      value: Buffer.from(`{"n":${i}}`),
      timestamp: Date.now(),
    }));
    await produceAll(kafka, source, records);

    const relay = start(["relay", "--source", source, "--target", target, "--group", group, "--partitions", "4"], {
      SPILLWAY_BROKERS: brokers.join(","),
    });
    await relay.logs('"msg":"relaying"');
    // Two thousand records are through long before the tool has started and answered.
    assert.ok((await stateOf(group, java, brokers)).hasMembers);
    relay.child.kill("SIGINT");
    const { code, stderr } = await relay.done;
    assert.equal(code, 0, stderr);

    const { committed, hasMembers } = await stateOf(group, java, brokers);
    assert.deepEqual([committed, hasMembers], [records.length, false]);
  });

  test("a second signal ends at once with 130", async () => {
    const { brokers } = await testServices();
    const source = uniqueName("prices");
    const feed = start(["produce", "prices", "--simulate", "--topic", source, "--every-ms", "100"], {
      SPILLWAY_BROKERS: brokers.join(","),
    });
    await feed.logs('"msg":"topic made"');
    // Both arrive before the first can have taken effect.
    feed.child.kill("SIGTERM");
    feed.child.kill("SIGINT");
    assert.equal((await feed.done).code, 130);
  });
});

describe("produce", () => {
  test("backfill writes what is asked for, into a topic that it makes", async () => {
    const { brokers } = await testServices();
    const topic = uniqueName("hot");
    const { code, stderr } = await run([
      ...["produce", "backfill", "--topic", topic, "--records", "500", "--keys", "10", "--partitions", "2"],
      ...["--brokers", brokers.join(",")],
    ]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /"acknowledged":500/);
  });

  test("prices stop at SIGTERM with exit 0", async () => {
    const { brokers } = await testServices();
    const feed = start(["produce", "prices", "--simulate", "--topic", uniqueName("prices"), "--every-ms", "50"], {
      SPILLWAY_BROKERS: brokers.join(","),
    });
    await feed.logs('"msg":"topic made"');
    feed.child.kill("SIGTERM");
    const { code, stderr } = await feed.done;
    assert.equal(code, 0, stderr);
    assert.match(stderr, /price feed stopped/);
  });
});
