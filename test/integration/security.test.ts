/** TLS, logins, least permissions and secrets, on a broker and a database that want them. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { MongoClient } from "mongodb";
import { pino } from "pino";
import { freePort } from "../../services/ports.ts";
import { type ErrorCode, messageOf, SpillwayError } from "../../src/errors.ts";
import { createRelay, createSink, handBack, openMongoTarget, readLag } from "../../src/index.ts";
import { Brokers } from "../../src/kafka/cluster.ts";
import { CONTROL_TOPIC } from "../../src/kafka/control-topic.ts";
import { committedOffsets, setOffsets } from "../../src/kafka/group-offsets.ts";
import type { KafkaOptions } from "../../src/kafka/options.ts";
import { isInTrouble } from "../../src/lag/report.ts";
import { preflight, QUICK } from "../../src/preflight/preflight.ts";
import { documentedNeeds, grantAll, grantsFor, grantsWithoutOne, userWithout } from "../helpers/acls.ts";
import { httpDouble } from "../helpers/http-double.ts";
import { consume, coordinated, makeTopic, produceAll, startOf, testLog, until } from "../helpers/kafka.ts";
import { leaksIn } from "../helpers/leaks.ts";
import { relayOptions, relayUntil, sinkGroup, sinkLag, sinkUntil, type Topics } from "../helpers/parts.ts";
import { openSecuredScene, type SecuredScene } from "../helpers/secured-scene.ts";
import { tokenFor } from "../helpers/secured-ways.ts";
import { answersOf, type CommandOutput, SpillwayCommand } from "../helpers/spillway-command.ts";
import { UnfitWays } from "../helpers/unfit-ways.ts";

const RECORDS = 200;
const SESSION_MS = 5_000;
const DATABASE = "secured";
const PASSPHRASE = "marker-of-the-passphrase";
const PASSWORDS = { relay: "marker-of-the-relay", sink: "marker-of-the-sink", lag: "marker-of-the-lag" };
const CONTROL_TOKEN = "marker-of-the-control";
const DATABASE_LOGIN = { username: "sink", password: "marker/of@the:database" };

const WAYS = [
  "tls",
  "mutual-tls",
  "plain",
  "scram-sha-256",
  "scram-sha-512",
  "oauthbearer-file",
  "oauthbearer-endpoint",
];

let scene: SecuredScene;
let admin: KafkaOptions;

function topicsOf(name: string): Topics {
  return { hot: `${name}-hot`, wide: `${name}-wide` };
}

const LESS = topicsOf("less");
const LONG = topicsOf("long");
const LIBRARY = topicsOf("library");

before(async () => {
  scene = await openSecuredScene({
    ...{ passwords: PASSWORDS, passphrase: PASSPHRASE, databaseLogin: DATABASE_LOGIN, sessionMs: SESSION_MS },
  });
  admin = scene.admin;
  await grantAll(admin, [
    ...[...WAYS.map(topicsOf), LONG, LIBRARY, LESS].flatMap(grantsFor),
    ...grantsWithoutOne(LESS),
  ]);
  // What is granted is known to the broker before the topics are, which come later in the same log.
  await makeTopic(admin, { topic: CONTROL_TOPIC, partitions: 1, config: { "cleanup.policy": "compact" } });
  await Promise.all([...WAYS.map(topicsOf), LESS, LONG, LIBRARY].map(makeTopics));
});
after(() => scene?.[Symbol.asyncDispose]());

async function makeTopics({ hot, wide }: Topics): Promise<void> {
  await makeTopic(admin, { topic: hot, partitions: 2 });
  await makeTopic(admin, { topic: wide, partitions: 4 });
  await makeTopic(admin, { topic: `${wide}.dead-letter`, partitions: 1 });
  await produceAll(admin, hot, records(0, RECORDS));
}

/** One of them can't be decoded. */
function records(first: number, count: number) {
  return Array.from({ length: count }, (_, i) => ({
    key: Buffer.from(`key-${i % 20}`),
    value: Buffer.from(first + i === 7 ? "no JSON 7" : JSON.stringify({ n: first + i })),
    timestamp: Date.now(),
  }));
}

function database() {
  return { url: scene.mongoUrl, name: DATABASE };
}

async function look(kafka: KafkaOptions, topics: Topics) {
  const context = { signal: AbortSignal.timeout(120_000), log: testLog };
  const { findings } = await preflight(relayOptions(kafka, topics), context, QUICK);
  return findings.filter(({ severity }) => severity === "error");
}

describe("relay, sink and lag, with the documented permissions and no others", { concurrency: 3 }, () => {
  test("a login is renewed again and again, and nothing is heard of it", async () => {
    const complaints: string[] = [];
    const log = pino({ level: "warn" }, { write: (line: string) => complaints.push(line) });
    const relaying = relayUntil(scene.kafka("scram-sha-512", "relay"), LONG, RECORDS + 100, log);
    relaying.catch(() => {});
    await consume(admin, LONG.wide, RECORDS);
    // It is at work: what coordinators of a fresh broker said is past. Nothing to wait for but the time that sessions last.
    complaints.length = 0;
    await pause(2.5 * SESSION_MS);
    await produceAll(admin, LONG.hot, records(RECORDS, 100));
    await relaying;
    const values = (await consume(admin, LONG.wide, RECORDS + 100)).map(({ value }) => value?.toString());
    assert.deepEqual([values.length, new Set(values).size], [RECORDS + 100, RECORDS + 100]);
    assert.deepEqual(complaints, []);
  });

  for (const name of WAYS) {
    test(`by ${name}`, async () => {
      const topics = topicsOf(name);
      const relaying = scene.kafka(name, "relay");
      assert.deepEqual(await look(relaying, topics), []);
      await relayUntil(relaying, topics, RECORDS);
      const values = (await consume(admin, topics.wide, RECORDS)).map(({ value }) => value?.toString());
      assert.deepEqual([values.length, new Set(values).size], [RECORDS, RECORDS]);

      await sinkUntil(
        scene.kafka(name, "sink"),
        topics,
        database(),
        ({ recordsWritten, recordsDeadLettered }) => recordsWritten === RECORDS - 1 && recordsDeadLettered === 1,
      );
      await using client = new MongoClient(scene.mongoUrl);
      assert.equal(await client.db(DATABASE).collection(topics.wide).countDocuments(), RECORDS - 1);

      const { groups, unseen } = await sinkLag(scene.kafka(name, "lag"), topics);
      assert.deepEqual(unseen, []);
      assert.deepEqual([groups[0]?.status, groups[0]?.messages.messages], ["caught up", 0]);
    });
  }
});

test("the library takes KafkaJS's own configurations: by login, token and certificate", async () => {
  const { hot, wide } = LIBRARY;
  const { login, mutualTls, tls, authority } = scene.secured;
  const ssl = { ca: [readFileSync(authority.caFile, "utf8")] };
  const pem = (name: string) => readFileSync(join(scene.directory, name), "utf8");
  const password = { mechanism: "scram-sha-512", username: "relay", password: PASSWORDS.relay } as const;
  const token = { mechanism: "oauthbearer", oauthBearerProvider: async () => ({ value: tokenFor("sink") }) } as const;
  const certificate = { cert: pem("lag.pem"), key: pem("lag.key"), passphrase: PASSPHRASE };
  const common = { log: testLog, signal: AbortSignal.timeout(120_000) };

  const byPassword = { brokers: [login], ssl, sasl: password };
  await using relay = createRelay({ ...common, kafka: byPassword, source: hot, target: wide, partitions: 4 });
  const relaying = relay.run();
  relaying.catch(() => relay.stop());
  await until("all is relayed", () => relay.status().stats.recordsWritten === RECORDS);
  await relay.stop();
  await relaying;

  await using target = openMongoTarget({ url: scene.mongoUrl, database: DATABASE });
  await using sink = createSink({
    ...{ ...common, kafka: { brokers: [login], ssl, sasl: token }, target },
    routes: [{ topic: wide, collection: wide }],
  });
  const sinking = sink.run();
  sinking.catch(() => sink.stop());
  const { stats } = sink;
  await until("all is done", () => stats.recordsWritten === RECORDS - 1 && stats.recordsDeadLettered === 1);
  await sink.stop();
  await sinking;

  const byCertificate = { brokers: [mutualTls], ssl: { ...ssl, ...certificate } };
  const { groups, unseen } = await readLag({ ...common, kafka: byCertificate, groups: [sinkGroup(LIBRARY)] });
  assert.deepEqual([unseen, groups[0]?.status, groups[0]?.messages.messages], [[], "caught up", 0]);

  const nobody = { brokers: [tls], ssl };
  const asked = { kafka: nobody, source: hot, to: "library-service", targets: [wide], newGroup: true };
  const { how, unreadRecords } = await handBack({ ...common, ...asked });
  assert.deepEqual([how, unreadRecords], ["drained", 0]);
  await using brokers = new Brokers(admin, testLog);
  const offsets = await coordinated(() => committedOffsets(brokers, "library-service", { topic: hot, partitions: 2 }));
  const ends = (await consume(admin, hot, RECORDS)).map(({ partition }) => partition);
  const counts = new Map(
    [0, 1].map((partition) => [partition, BigInt(ends.filter((one) => one === partition).length)]),
  );
  assert.deepEqual(new Map(offsets), counts);
});

describe("without any one of the permissions: an error that says which", () => {
  before(async () => {
    await produceAll(admin, LESS.wide, records(0, RECORDS));
    await using brokers = new Brokers(admin, testLog);
    const start = await startOf(admin, LESS.wide);
    await coordinated(() => setOffsets(brokers, sinkGroup(LESS), start, "empty"));
  });

  const run: Readonly<Record<string, (kafka: KafkaOptions) => Promise<unknown>>> = {
    relay: (kafka) => relayUntil(kafka, LESS, 1),
    sink: (kafka) => sinkUntil(kafka, LESS, database(), ({ recordsDeadLettered }) => recordsDeadLettered > 0),
    lag: async (kafka) => {
      const { unseen } = await sinkLag(kafka, LESS);
      // What can't be seen is in the report, and leaves the rest of it as it is.
      throw new SpillwayError("NOT_AUTHORIZED", unseen.map(({ why }) => why).join());
    },
  };
  for (const need of documentedNeeds(LESS)) {
    const { part, resource, name, operation } = need;
    if (part === "lag" && resource === "topic") continue;
    test(`${part}: ${operation} on ${resource} ${name}`, async () => {
      const kafka = scene.kafkaAs(userWithout(need));
      const { code, message } = await failureOf(run[part]?.(kafka));
      assert.equal(code, "NOT_AUTHORIZED", message);
      assert.ok(message.includes(`Grant ${operation} on ${resource} ${name}`), message);
      // Brokers don't tell beforehand who may write with a transactional id, only who may see it.
      if (part !== "relay" || resource === "transactional id") return;
      const [error, ...others] = await look(kafka, LESS);
      assert.deepEqual(error?.context, { resource: `${resource} ${name}`, operations: [operation] });
      assert.deepEqual(others, []);
    });
  }
});

async function failureOf(work: Promise<unknown> | undefined): Promise<SpillwayError> {
  const error: unknown = await Promise.resolve(work)
    .then(() => assert.fail("it did not fail"))
    .catch((thrown: unknown) => thrown);
  assert.ok(error instanceof SpillwayError, messageOf(error));
  return error;
}

test("lag that may not see a topic shows nothing of it", async () => {
  const hidden = documentedNeeds(LESS).find(({ part, resource }) => part === "lag" && resource === "topic");
  assert.ok(hidden !== undefined);
  const report = await sinkLag(scene.kafkaAs(userWithout(hidden)), LESS);
  assert.deepEqual(report.groups[0]?.partitions, []);
  assert.ok(isInTrouble(report), "as a check counts it");
});

test("lag that may describe a topic and not read it estimates, and says so", async () => {
  const { groups, unseen } = await sinkLag(scene.kafka("plain", "lag"), LESS);
  const { messages, seconds } = groups[0] ?? assert.fail("the group is not in the report");
  assert.deepEqual([messages.exact, seconds], [false, undefined]);
  assert.ok(messages.messages > 0);
  assert.deepEqual(unseen, []);
});

describe("who is not let in is told why, at once", () => {
  const REFUSED = "AUTHENTICATION_FAILED";
  const SUSPICION = /Check whether this listener wants TLS \(kafka.ssl.enabled\) and a login \(kafka.sasl.mechanism\)$/;
  const wrongLogin = /refused the login: .*Check the SASL mechanism, user name and password$/;
  const cases: readonly (readonly [
    string,
    (ways: UnfitWays) => KafkaOptions | Promise<KafkaOptions>,
    ErrorCode,
    RegExp,
  ])[] = [
    ["a wrong password, PLAIN", (ways) => ways.password("plain"), REFUSED, wrongLogin],
    ["a wrong password, SCRAM-SHA-256", (ways) => ways.password("scram-sha-256"), REFUSED, wrongLogin],
    ["a wrong password, SCRAM-SHA-512", (ways) => ways.password("scram-sha-512"), REFUSED, wrongLogin],
    [
      "an expired token",
      () => scene.kafkaAs("relay", -5),
      REFUSED,
      /refused the token: .*invalid_token.*has not expired/,
    ],
    [
      "a wrong client secret",
      (ways) => ways.clientSecret(),
      REFUSED,
      /answered 401 invalid_client\. Check the client id/,
    ],
    ["an unknown authority", (ways) => ways.authority(), REFUSED, /that is not trusted: .*kafka\.ssl\.caFile/],
    ["another name than the broker's", (ways) => ways.name(), REFUSED, /certificate for another name: /],
    ["no certificate", (ways) => ways.noCertificate(), REFUSED, /refused the certificate of this client: /],
    ["a stranger's certificate", (ways) => ways.stranger(), REFUSED, /refused the certificate of this client: /],
    ["a login where there is none", (ways) => ways.login(), REFUSED, /takes no login here: .*leave kafka\.sasl out$/],
    ["no login where there is one", (ways) => ways.noLogin(), "BROKER_UNREACHABLE", SUSPICION],
    ["TLS to a plain port", (ways) => ways.tls(), "BROKER_UNREACHABLE", SUSPICION],
    ["no TLS to a TLS port", (ways) => ways.noTls(), "BROKER_UNREACHABLE", SUSPICION],
  ];
  for (const [name, options, code, message] of cases) {
    test(name, async () => {
      const tries: string[] = [];
      const log = pino({ level: "warn" }, { write: (line: string) => tries.push(line) });
      await using brokers = new Brokers(await options(new UnfitWays(scene)), log);
      const error = await failureOf(brokers.connect(AbortSignal.timeout(120_000), log));
      assert.equal(error.code, code, error.message);
      assert.match(error.message, message);
      if (code === REFUSED) assert.deepEqual(tries, [], "it is not tried again");
    });
  }
});

describe("a database that can't be trusted ends the sink, which says why", () => {
  async function refusal(change: (url: URL) => void): Promise<string> {
    const url = new URL(scene.mongoUrl);
    change(url);
    await using target = openMongoTarget({ url: url.href, database: DATABASE });
    const { code, message } = await failureOf(target.prepare());
    assert.equal(code, "DATABASE_REFUSED", message);
    return message;
  }

  test("an unknown authority", async () => {
    assert.match(
      await refusal(({ searchParams }) => searchParams.delete("tlsCAFile")),
      /certificate is not trusted.*tlsCAFile/,
    );
  });

  test("another name than the database's", async () => {
    const byName = (url: URL) => {
      url.hostname = "localhost";
    };
    assert.match(await refusal(byName), /certificate is for another name/);
  });

  test("TLS to what doesn't speak it", async () => {
    await using plain = await httpDouble((_, response) => response.end());
    const toPlain = (url: URL) => {
      url.host = new URL(plain.url).host;
    };
    assert.match(await refusal(toPlain), /does not speak TLS/);
  });
});

describe("no secret is in anything that is put out", () => {
  const secrets = [...Object.values(PASSWORDS), PASSPHRASE, CONTROL_TOKEN, DATABASE_LOGIN.password];
  const trace = ["--log-level", "trace"];

  function assertSafe(what: string, { stdout, stderr, commandLine }: CommandOutput, ...more: readonly string[]): void {
    const text = [stdout, stderr, commandLine, ...more].join("\n");
    for (const secret of secrets) assert.deepEqual(leaksIn(text, secret), [], what);
  }

  test("of processes at work, at level trace", async () => {
    const topics = topicsOf("plain");
    const ports = [await freePort(), await freePort()] as const;
    const names = ["--source", topics.hot, "--target", topics.wide, "--partitions", "4"];
    await using relaying = new SpillwayCommand(["relay", ...names, ...trace, "--listen", String(ports[0])], {
      ...scene.environment("plain", "relay"),
      SPILLWAY_CONTROL_TOKEN: CONTROL_TOKEN,
    });
    const mutual = topicsOf("mutual-tls");
    await using sinking = new SpillwayCommand(
      ["sink", "--topic", mutual.wide, ...trace, "--listen", String(ports[1])],
      {
        ...scene.environment("mutual-tls", "sink"),
        SPILLWAY_MONGO_URL: scene.mongoUrl,
      },
    );
    for (const [name, process, port] of [
      ["relay", relaying, ports[0]],
      ["sink", sinking, ports[1]],
    ] as const) {
      await process.logs("joined the group");
      const answers = await answersOf(port, CONTROL_TOKEN);
      const output = await process.stop();
      assert.equal(output.code, 0, output.stderr);
      assert.match(output.stderr, /"level":"trace"/, "it says all it can");
      assertSafe(name, output, answers);
    }
  });

  test("of those that end, most of them in failure", async () => {
    const token = readFileSync(join(scene.directory, "lag.token"), "utf8").trim();
    const names = ["--source", "plain-hot", "--target", "plain-wide"];
    const nowhere = `127.0.0.1:${await freePort()}`;
    const plain = scene.environment("plain", "relay");
    const { SPILLWAY_SASL_PASSWORD_FILE: _file, ...withoutPassword } = plain;
    const cases = [
      // Somebody else's, so a wrong one, and a secret all the same.
      {
        what: "password",
        args: ["relay", ...names],
        env: { ...withoutPassword, SPILLWAY_SASL_PASSWORD: PASSWORDS.lag },
        code: 8,
      },
      {
        what: "client",
        args: ["relay", ...names],
        env: { ...scene.environment("oauthbearer-endpoint", "relay"), SPILLWAY_SASL_CLIENT_SECRET: PASSWORDS.lag },
        code: 8,
      },
      {
        what: "host",
        args: ["relay", ...names, "--connect-deadline-ms", "500"],
        env: { ...plain, SPILLWAY_BROKERS: nowhere },
        code: 3,
      },
      {
        what: "passphrase",
        args: ["relay", ...names],
        env: { ...scene.environment("mutual-tls", "relay"), SPILLWAY_SSL_KEY_PASSPHRASE: PASSWORDS.lag },
        code: 2,
      },
      {
        what: "database",
        args: ["sink", "--topic", "plain-wide"],
        env: {
          ...scene.environment("plain", "sink"),
          SPILLWAY_MONGO_URL: scene.mongoUrl.replace("//sink:", "//nobody:"),
        },
        code: 5,
      },
      {
        what: "token",
        args: ["lag", "--group", sinkGroup(topicsOf("plain"))],
        env: scene.environment("oauthbearer-file", "lag"),
        code: 0,
      },
      {
        what: "topic",
        args: ["sink", "--topic", "nowhere"],
        env: { ...scene.environment("plain", "sink"), SPILLWAY_MONGO_URL: scene.mongoUrl },
        code: 8,
      },
    ];
    await Promise.all(
      cases.map(async ({ what, args, env, code }) => {
        await using command = new SpillwayCommand([...args, ...trace], env);
        const output = await command.ended();
        assert.equal(output.code, code, `${what}: ${output.stderr}`);
        assertSafe(what, output);
        assert.deepEqual(leaksIn(output.stdout + output.stderr, token), [], what);
      }),
    );
  });

  test("of the configuration, from environment, files and YAML", async () => {
    const file = join(scene.directory, "spillway.yaml");
    writeFileSync(
      file,
      `kafka: { sasl: { password: ${PASSWORDS.sink} } }\nserver: { controlToken: ${CONTROL_TOKEN} }\n`,
    );
    const { SPILLWAY_SASL_PASSWORD_FILE: _file, ...environment } = scene.environment("plain", "relay");
    for (const json of [[], ["--json"]]) {
      await using command = new SpillwayCommand(["config", "--config", file, ...json], {
        ...environment,
        SPILLWAY_MONGO_URL: scene.mongoUrl,
      });
      const output = await command.ended();
      assert.equal(output.code, 0, output.stderr);
      assert.match(output.stdout, /kafka\.sasl\.password.*\*\*\*/s);
      assertSafe("config", output);
    }
  });
});
