import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, it } from "node:test";
import { MongoClient } from "mongodb";
import { builtArtifact } from "../../services/artifacts.ts";
import { down, status, up } from "../../services/by-hand/by-hand.ts";
import { MissingPrerequisite, PortTaken, ServiceError } from "../../services/errors.ts";
import { applyFix } from "../../services/go-source.ts";
import { freePort, isListening, retryIfPortTaken } from "../../services/ports.ts";
import { type Services, startServices } from "../../services/services.ts";
import type { FaultyProxy } from "../../services/toxiproxy/client.ts";
import { waitUntil } from "../../services/wait-until.ts";
import { uniqueName } from "../helpers/services.ts";

const MINUTE = 60_000;
/** What is built once is built by the first test that needs it. */
const START = { timeout: 20 * MINUTE };
const EACH = { timeout: 2 * MINUTE };

describe("services", () => {
  let services: Services;
  let client: MongoClient;

  before(async () => {
    services = await startServices({ kafka: true, mongo: true, toxiproxy: true, own: true });
    client = new MongoClient(services.mongoUrl, { serverSelectionTimeoutMS: 20_000 });
  }, START);

  after(async () => {
    await client?.close();
    await services?.stop();
  }, EACH);

  const collection = () => client.db(uniqueName("db")).collection<{ _id: string; version?: number }>("documents");

  const createTopic = async (topic: string): Promise<void> => {
    const args = ["--create", "--topic", topic, "--partitions", "3", ...bootstrap()];
    const { code, stderr } = await services.kafka.runTool("org.apache.kafka.tools.TopicCommand", args);
    assert.equal(code, 0, stderr);
  };
  const bootstrap = (): string[] => ["--bootstrap-server", services.brokers.join(",")];
  const produce = async (topic: string, lines: string): Promise<void> => {
    const producer = "org.apache.kafka.tools.ConsoleProducer";
    const { code, stderr } = await services.kafka.runTool(producer, ["--topic", topic, ...bootstrap()], {
      stdin: lines,
    });
    assert.equal(code, 0, stderr);
  };
  const consume = async (topic: string, count: number): Promise<string[]> => {
    const consumer = "org.apache.kafka.tools.consumer.ConsoleConsumer";
    const limits = ["--from-beginning", "--max-messages", String(count), "--timeout-ms", "30000"];
    const { stdout } = await services.kafka.runTool(consumer, ["--topic", topic, ...limits, ...bootstrap()]);
    return stdout.trim().split("\n").sort();
  };

  it("writes a document and reads it", EACH, async () => {
    const documents = collection();
    await documents.insertOne({ _id: "a", version: 1 });
    assert.deepEqual(await documents.findOne({ _id: "a" }), { _id: "a", version: 1 });
    assert.equal(services.database, "FerretDB 1.24.0 (SQLite)");
  });

  it("creates a topic, writes to it and reads it with Kafka's own tools", EACH, async () => {
    const topic = uniqueName("topic");
    await createTopic(topic);
    await produce(topic, "one\ntwo\nthree\n");
    assert.deepEqual(await consume(topic, 3), ["one", "three", "two"]);
  });

  it("refuses a topic that was not created", EACH, async () => {
    const args = ["--describe", "--topic", uniqueName("missing"), ...bootstrap()];
    const { code, stdout, stderr } = await services.kafka.runTool("org.apache.kafka.tools.TopicCommand", args);
    assert.equal(code, 1);
    assert.match(stdout + stderr, /does not exist/);
  });

  it("runs a Java source file against the brokers", EACH, async () => {
    const directory = await mkdtemp(join(tmpdir(), "spillway-test-"));
    try {
      const file = join(directory, "Nodes.java");
      await writeFile(
        file,
        `import java.util.Map;
        import org.apache.kafka.clients.admin.Admin;
        class Nodes {
          public static void main(String[] args) throws Exception {
            try (var admin = Admin.create(Map.<String, Object>of("bootstrap.servers", args[0]))) {
              System.out.println(admin.describeCluster().nodes().get().size());
            }
          }
        }`,
      );
      const { stdout, stderr } = await services.kafka.runJavaSource(file, [services.brokers.join(",")]);
      assert.equal(stdout, "1\n", stderr);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it("answers for each operation of an unordered bulk write of guarded upserts", EACH, async () => {
    const documents = collection();
    await documents.insertMany([
      { _id: "newer-1", version: 9 },
      { _id: "newer-2", version: 9 },
    ]);
    const operations = ["new-1", "newer-1", "new-2", "newer-2", "new-3"].map((_id) => ({
      updateOne: { filter: { _id, version: { $lt: 5 } }, update: { $set: { version: 5 } }, upsert: true },
    }));
    const failure = await documents.bulkWrite(operations, { ordered: false }).then(
      () => assert.fail("the guard let an older version through"),
      (error: { writeErrors: { index: number; code: number }[]; result: { upsertedIds: Record<number, string> } }) =>
        error,
    );
    assert.deepEqual(
      failure.writeErrors.map(({ index, code }) => [index, code]),
      [
        [1, 11_000],
        [3, 11_000],
      ],
    );
    assert.deepEqual({ ...failure.result.upsertedIds }, { 0: "new-1", 2: "new-2", 4: "new-3" });
    const versions = (await documents.find().toArray()).map(({ _id, version }) => `${_id}:${version}`);
    assert.deepEqual(versions.sort(), ["new-1:5", "new-2:5", "new-3:5", "newer-1:9", "newer-2:9"]);
  });

  it("ends an ordered bulk write at the first operation that fails", EACH, async () => {
    const documents = collection();
    await documents.insertOne({ _id: "newer", version: 9 });
    const operations = ["new-1", "newer", "new-2"].map((_id) => ({
      updateOne: { filter: { _id, version: { $lt: 5 } }, update: { $set: { version: 5 } }, upsert: true },
    }));
    await assert.rejects(documents.bulkWrite(operations, { ordered: true }), { code: 11_000 });
    assert.deepEqual((await documents.distinct("_id")).sort(), ["new-1", "newer"]);
  });

  it("ends an ordered insert at the document that fails, however many follow", EACH, async () => {
    const documents = collection();
    await documents.insertOne({ _id: "50" });
    const many = Array.from({ length: 350 }, (_, i) => ({ _id: String(i) }));
    await assert.rejects(documents.insertMany(many, { ordered: true }), { code: 11_000 });
    assert.equal(await documents.countDocuments(), 51);
  });

  describe("behind a proxy", () => {
    let proxy: FaultyProxy;
    let proxied: MongoClient;

    before(async () => {
      const upstream = new URL(services.mongoUrl).host;
      proxy = await services.toxiproxy.createProxy({ name: uniqueName("mongo"), upstream });
      proxied = new MongoClient(`mongodb://${proxy.address}/`, {
        serverSelectionTimeoutMS: 3_000,
        socketTimeoutMS: 1_000,
        retryReads: false,
      });
      await ping();
    }, EACH);

    after(async () => {
      await proxied?.close();
      await proxy?.delete();
    }, EACH);

    const ping = () => proxied.db("admin").command({ ping: 1 });
    const timed = async (): Promise<number> => {
      const start = performance.now();
      await ping();
      return performance.now() - start;
    };

    it("adds latency both ways and takes it away", EACH, async () => {
      const down = await proxy.addLatency({ milliseconds: 100 });
      const up = await proxy.addLatency({ milliseconds: 50, direction: "upstream" });
      const slow = await timed();
      assert.ok(slow >= 150, `${slow} ms`);
      await proxy.remove(down);
      await proxy.remove(up);
      await waitUntil(async () => (await timed()) < 100, { timeoutMs: 20_000, what: "the latency is gone" });
    });

    it("cuts the connection and restores it", EACH, async () => {
      await proxy.cut();
      assert.equal(await isListening(proxy.port), false);
      await assert.rejects(ping());
      await proxy.restore();
      await waitUntil(answers, { timeoutMs: 20_000, what: "the database answers again" });
    });

    it("freezes what the server answers", EACH, async () => {
      const fault = await proxy.freeze();
      await assert.rejects(ping(), { name: "MongoNetworkTimeoutError" });
      await proxy.remove(fault);
      await waitUntil(answers, { timeoutMs: 20_000, what: "the database answers again" });
    });

    it("limits the bandwidth", EACH, async () => {
      const documents = collection();
      await documents.insertOne({ _id: "x".repeat(100_000) });
      const fault = await proxy.limitBandwidth({ kilobytesPerSecond: 200 });
      const start = performance.now();
      await proxied.db(documents.dbName).collection("documents").findOne();
      const took = performance.now() - start;
      await proxy.remove(fault);
      assert.ok(took >= 400, `100 kB at 200 kB/s took ${took} ms`);
    });

    const answers = (): Promise<boolean> =>
      ping().then(
        () => true,
        () => false,
      );
  });

  it("keeps the database's data over a kill and a restart", EACH, async () => {
    const documents = collection();
    await documents.insertMany(Array.from({ length: 1_000 }, (_, index) => ({ _id: `id-${index}` })));
    const port = Number(new URL(services.mongoUrl).port);
    await services.databaseControl.kill("SIGKILL");
    assert.equal(await isListening(port), false);
    await services.databaseControl.start();
    assert.equal(await documents.countDocuments(), 1_000);
  });

  it("freezes the database and thaws it", EACH, async () => {
    const documents = collection();
    await documents.insertOne({ _id: "a" });
    services.databaseControl.freeze();
    let isAnswered = false;
    const answer = documents.findOne({ _id: "a" }).then((document) => {
      isAnswered = true;
      return document;
    });
    // Frozen, yet its port still takes connections.
    assert.equal(await isListening(Number(new URL(services.mongoUrl).port)), true);
    assert.equal(isAnswered, false);
    services.databaseControl.thaw();
    assert.deepEqual(await answer, { _id: "a" });
  });

  it("keeps a broker's topics over a kill and a restart", EACH, async () => {
    const topic = uniqueName("topic");
    await createTopic(topic);
    await produce(topic, "kept\n");
    await services.kafka.kill(0);
    await assert.rejects(services.kafka.kill(1), ServiceError);
    await services.kafka.start(0);
    assert.deepEqual(await consume(topic, 1), ["kept"]);
  });

  it("leaves nothing behind when their owner is killed", EACH, async () => {
    await using directory = await temporaryDirectory();
    const owner = spawnOwner(directory.path);
    const { pids, ports } = await firstLine<{ pids: number[]; ports: number[] }>(owner);
    assert.equal(pids.length, 2);
    for (const port of ports) assert.equal(await isListening(port), true);
    assert.notDeepEqual(await readdir(directory.path), []);

    owner.kill("SIGKILL");
    const gone = { timeoutMs: 10_000, what: "everything is gone" };
    await waitUntil(async () => !(await Promise.all(ports.map((port) => isListening(port)))).includes(true), gone);
    await waitUntil(() => pids.every(isGone), gone);
    await waitUntil(async () => (await readdir(directory.path)).length === 0, gone);
  });

  it("runs in the background from `up` to `down`", EACH, async () => {
    await using directory = await temporaryDirectory();
    const options = { directory: directory.path };
    const printed = async (command: typeof up): Promise<string> => {
      const lines: string[] = [];
      await command({ ...options, print: (line) => lines.push(line) });
      return lines.join("\n");
    };
    // Of a keeper that is gone.
    const stale = { pid: 1, keeper: "http://127.0.0.1:1/", token: "", mongoUrl: "", database: "", toxiproxy: "" };
    await writeFile(join(directory.path, "running.json"), JSON.stringify({ ...stale, brokers: [] }));
    assert.equal(await printed(status), "No services run.");
    try {
      const first = await printed(up);
      const [, brokers = "", port = ""] =
        /^export SPILLWAY_BROKERS=(.*:(\d+)) SPILLWAY_MONGO_URL='mongo/m.exec(first) ?? [];
      assert.ok(brokers, first);
      assert.equal(await isListening(Number(port)), true);
      assert.match(await printed(up), new RegExp(`run already[\\s\\S]*=${brokers} `));
      assert.match(await printed(status), new RegExp(`=${brokers} `));
      assert.match(await printed(down), /have stopped/);
      assert.equal(await isListening(Number(port)), false);
    } finally {
      assert.equal(await printed(down), "No services run.");
    }
  });
});

describe("addresses given by environment", () => {
  it("win over services of our own", EACH, async () => {
    using _brokers = environment("SPILLWAY_BROKERS", "127.0.0.1:1, 127.0.0.1:2");
    using _mongoUrl = environment("SPILLWAY_MONGO_URL", "mongodb://127.0.0.1:3/");
    await using services = await startServices({ kafka: true, mongo: true });
    assert.deepEqual(services.brokers, ["127.0.0.1:1", "127.0.0.1:2"]);
    assert.equal(services.mongoUrl, "mongodb://127.0.0.1:3/");
    assert.equal(services.database, "given by SPILLWAY_MONGO_URL");
    await assert.rejects(services.kafka.kill(0), /SPILLWAY_BROKERS/);
    assert.throws(() => services.toxiproxy, /not asked for/);
  });
});

describe("what can't start", () => {
  it("names Java if there is none", EACH, async () => {
    using _path = environment("PATH", "");
    using _home = environment("JAVA_HOME", "");
    await assert.rejects(startServices({ kafka: true, own: true }), isMissing("Java", /apt-get install/));
  });

  it("names Java if it is too old", EACH, async () => {
    await using directory = await temporaryDirectory();
    await writeFile(join(directory.path, "java"), `#!/bin/sh\necho 'openjdk version "11.0.2"' >&2\n`, { mode: 0o755 });
    using _path = environment("PATH", directory.path);
    using _home = environment("JAVA_HOME", "");
    await assert.rejects(startServices({ kafka: true, own: true }), isMissing("Java", /version 11 is too old/));
  });

  it("names Go and Maven if there is something to build", EACH, async () => {
    await using directory = await temporaryDirectory();
    using _artifacts = environment("SPILLWAY_SERVICES_DIR", directory.path);
    using _path = environment("PATH", "");
    await assert.rejects(startServices({ mongo: true, own: true }), isMissing("Go", /there is no program go/));
    await assert.rejects(startServices({ toxiproxy: true, own: true }), isMissing("Go", /golang/));
    const bin = join(directory.path, "bin");
    await mkdir(bin);
    await writeFile(join(bin, "java"), `#!/bin/sh\necho 'openjdk version "17.0.2"' >&2\n`, { mode: 0o755 });
    using _home = environment("JAVA_HOME", "");
    using _onlyJava = environment("PATH", bin);
    await assert.rejects(startServices({ kafka: true, own: true }), isMissing("Maven", /there is no program mvn/));
  });

  it("says what its log says", EACH, async () => {
    const config = { "authorizer.class.name": "no.such.Authorizer" };
    await assert.rejects(startServices({ kafka: { config }, own: true }), (error: Error) => {
      assert.ok(error instanceof ServiceError);
      assert.match(error.message, /Kafka broker 1 did not start[\s\S]*no\.such\.Authorizer[\s\S]*failed-kafka\.log/);
      return true;
    });
  });

  it("tries once more if a port was taken", EACH, async () => {
    let starts = 0;
    const start = async (): Promise<number> => {
      if (++starts === 1) throw new PortTaken("taken");
      return starts;
    };
    assert.equal(await retryIfPortTaken(start), 2);

    await using taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as AddressInfo;
    const controller = await freePort();
    const config = {
      listeners: `CLIENT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}`,
      "controller.quorum.voters": `1@127.0.0.1:${controller}`,
    };
    await assert.rejects(startServices({ kafka: { config }, own: true }), PortTaken);
  });

  it("stops what has started when it is aborted", EACH, async () => {
    await using directory = await temporaryDirectory();
    using _temporary = environment("TMPDIR", directory.path);
    const abort = new AbortController();
    const reason = new Error("no longer wanted");
    const log = (line: string): void => {
      if (line.startsWith("FerretDB")) abort.abort(reason);
    };
    const start = startServices({ mongo: true, kafka: true, own: true, log, signal: abort.signal });
    await assert.rejects(start, reason);
    assert.deepEqual(await readdir(directory.path), []);
  });
});

describe("what is built once", () => {
  it("is built by one of those that ask at once, and left whole", EACH, async () => {
    await using directory = await temporaryDirectory();
    using _artifacts = environment("SPILLWAY_SERVICES_DIR", directory.path);
    let builds = 0;
    const build = async (target: string): Promise<void> => {
      builds++;
      await writeFile(join(target, "program"), "");
    };
    // Of a process that is gone.
    await writeFile(join(directory.path, "thing.lock"), "999999999");
    const ask = () => builtArtifact({ name: "thing", inputs: ["1"], build });
    const [first, second] = await Promise.all([ask(), ask()]);
    assert.equal(builds, 1);
    assert.equal(first, second);
    assert.deepEqual(await readdir(first), ["program"]);

    const failing = builtArtifact({ name: "thing", inputs: ["2"], build: () => Promise.reject(new Error("no")) });
    await assert.rejects(failing, /no/);
    assert.equal((await readdir(directory.path)).length, 1);
  });

  it("is never built from code that a fix was not written for", () => {
    const fix = { file: "f.go", before: "a", after: "b", count: 2 };
    assert.equal(applyFix(fix, "a-a"), "b-b");
    assert.throws(() => applyFix(fix, "a"), /found 1 times instead of 2/);
  });
});

function isMissing(program: string, message: RegExp) {
  return (error: unknown): true => {
    assert.ok(error instanceof MissingPrerequisite, String(error));
    assert.equal(error.program, program);
    assert.match(error.message, message);
    return true;
  };
}

function spawnOwner(temporary: string): ChildProcess {
  const services = new URL("../../services/services.ts", import.meta.url).href;
  const script = `
    const { startServices } = await import(${JSON.stringify(services)});
    const services = await startServices({ kafka: true, mongo: true, own: true });
    const port = (address) => Number(address.split(":").at(-1));
    console.log(JSON.stringify({
      pids: [services.kafka.pid(0), services.databaseControl.pid()],
      ports: [port(services.brokers[0]), Number(new URL(services.mongoUrl).port)],
    }));
    setInterval(() => undefined, 1_000);`;
  const env = { ...process.env, TMPDIR: temporary };
  return spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"], env });
}

async function firstLine<T>(child: ChildProcess): Promise<T> {
  assert.ok(child.stdout);
  const [line] = (await once(createInterface(child.stdout), "line", { signal: AbortSignal.timeout(MINUTE) })) as [
    string,
  ];
  return JSON.parse(line) as T;
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}

async function temporaryDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "spillway-test-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

function environment(name: string, value: string): Disposable {
  const previous = process.env[name];
  process.env[name] = value;
  return {
    [Symbol.dispose]() {
      if (previous === undefined) delete process.env[name];
      else process.env[name] = previous;
    },
  };
}
