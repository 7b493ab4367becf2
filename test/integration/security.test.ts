/** TLS, logins, least permissions and secrets, on a broker that wants them and a database that wants a login. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { MongoClient } from "mongodb";
import { pino } from "pino";
import { makeAuthority } from "../../services/certificates.ts";
import { type SecuredKafka, securedKafka } from "../../services/kafka/secured.ts";
import { type Services, startServices } from "../../services/services.ts";
import { prepareTopics } from "../../src/cli/topics.ts";
import { DeadLetters } from "../../src/dead-letter/dead-letter.ts";
import { jsonDecoder } from "../../src/decode/decoder.ts";
import { type ErrorCode, messageOf, SpillwayError } from "../../src/errors.ts";
import { Brokers } from "../../src/kafka/cluster.ts";
import { CONTROL_TOPIC } from "../../src/kafka/control-topic.ts";
import { GroupMember } from "../../src/kafka/group-member.ts";
import { setOffsets } from "../../src/kafka/group-offsets.ts";
import { LastingProducer } from "../../src/kafka/lasting-producer.ts";
import type { KafkaOptions } from "../../src/kafka/options.ts";
import { openSource } from "../../src/kafka/source.ts";
import { LAG_DEFAULTS } from "../../src/lag/options.ts";
import { readLag } from "../../src/lag/read-lag.ts";
import { preflight, QUICK } from "../../src/preflight/preflight.ts";
import { RELAY_DEFAULTS, type RelayOptions } from "../../src/relay/options.ts";
import { runRelay } from "../../src/relay/relay.ts";
import { newRelayStats } from "../../src/relay/stats.ts";
import { collectionByTopic } from "../../src/sink/collection-name.ts";
import { insertModel } from "../../src/sink/models/insert.ts";
import { SINK_DEFAULTS } from "../../src/sink/options.ts";
import { runSink } from "../../src/sink/sink.ts";
import { newSinkStats } from "../../src/sink/stats.ts";
import { openMongoTarget } from "../../src/sink/targets/mongo.ts";
import { documentedNeeds, grantAll, type Need } from "../helpers/acls.ts";
import { consume, groupOf, kafkaOf, makeTopic, produceAll, startOf, testLog, until } from "../helpers/kafka.ts";
import { kafkaBy, securedWays, tokenEndpoint, tokenFor, type Way } from "../helpers/secured-ways.ts";

const RECORDS = 200;
const SESSION_MS = 3_000;
const DATABASE = "secured";
const PASSPHRASE = "marker-of-the-passphrase";
const PASSWORDS = { relay: "marker-of-the-relay", sink: "marker-of-the-sink", lag: "marker-of-the-lag" };
const DATABASE_LOGIN = { username: "sink", password: "marker/of@the:database" };

const WAYS = ["tls", "mutual-tls", "plain", "scram-sha-256", "scram-sha-512", "oauthbearer-file", "oauthbearer-endpoint"];

const directory = mkdtempSync(join(tmpdir(), "spillway-security-"));
const stack = new AsyncDisposableStack();
stack.defer(() => rmSync(directory, { recursive: true }));
let secured: SecuredKafka;
let services: Services;
let admin: KafkaOptions;
let ways: ReadonlyMap<string, Way>;
let client: MongoClient;

interface Topics {
  readonly hot: string;
  readonly wide: string;
}

function topicsOf(name: string): Topics {
  return { hot: `${name}-hot`, wide: `${name}-wide` };
}

function relayGroup({ hot }: Topics): string {
  return `spillway-relay-${hot}`;
}

function sinkGroup({ wide }: Topics): string {
  return `spillway-sink-${wide}`;
}

const LESS = topicsOf("less");
const LONG = topicsOf("long");

before(async () => {
  secured = await securedKafka({ directory, users: PASSWORDS, sessionMs: SESSION_MS });
  services = stack.use(
    await startServices({ own: true, kafka: secured.kafka, mongo: { login: DATABASE_LOGIN } }),
  );
  admin = kafkaOf(services.brokers);
  const { url: tokenUrl } = stack.use(await tokenEndpoint(PASSWORDS));
  const all = await securedWays({ secured, directory, passwords: PASSWORDS, passphrase: PASSPHRASE, tokenUrl });
  ways = new Map(all.map((way) => [way.name, way]));
  client = stack.use(new MongoClient(services.mongoUrl));
  await grantAll(admin, [
    ...[...WAYS.map(topicsOf), LONG].flatMap((topics) => partsOf(topics).map(({ part: user, needs }) => ({ user, needs }))),
    ...partsOf(LESS).flatMap(({ needs }) =>
      needs.map((missing) => ({ user: userWithout(missing), needs: needs.flatMap((need) => lessened(need, missing)) })),
    ),
  ]);
  // What is granted is known to the broker before the topics are, which come later in the same log.
  await makeTopic(admin, { topic: CONTROL_TOPIC, partitions: 1, config: { "cleanup.policy": "compact" } });
  await Promise.all([...WAYS.map(topicsOf), LESS, LONG].map(makeTopics));
});
after(() => stack.disposeAsync());

function partsOf(topics: Topics): readonly { readonly part: string; readonly needs: readonly Need[] }[] {
  const needs = documentedNeeds(topics);
  return ["relay", "sink", "lag"].map((part) => ({ part, needs: needs.filter((need) => need.part === part) }));
}

/** Who may see something, but not use it, is told what is missing for that. */
function lessened(need: Need, missing: Need): readonly Need[] {
  if (need !== missing) return [need];
  return need.operation === "DESCRIBE" ? [] : [{ ...need, operation: "DESCRIBE" }];
}

function userWithout({ part, resource, name, operation }: Need): string {
  return `${part} without ${operation} on ${resource} ${name}`.replaceAll(/[^\w-]+/g, "-");
}

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

function kafkaOfWay(name: string, user: string): KafkaOptions {
  const way = ways.get(name) ?? assert.fail(`no way ${name}`);
  return { ...kafkaBy(way.environment(user)), connectDeadlineMs: 30_000 };
}

/** As anybody, which a token is enough for here. */
function kafkaAs(user: string, seconds?: number): KafkaOptions {
  const file = join(directory, `${user}-${seconds ?? ""}.token`);
  writeFileSync(file, tokenFor(user, seconds));
  const environment = ways.get("oauthbearer-file")?.environment("relay") ?? {};
  return { ...kafkaBy({ ...environment, SPILLWAY_SASL_TOKEN_FILE: file }), connectDeadlineMs: 30_000 };
}

function relayOptions(kafka: KafkaOptions, topics: Topics): RelayOptions {
  const { hot: source, wide: target } = topics;
  return { kafka, ...RELAY_DEFAULTS, source, target, partitions: 4, group: groupOf(relayGroup(topics)) };
}

/** Relays until so many records are written. */
async function relay(kafka: KafkaOptions, topics: Topics, count: number, log = testLog): Promise<void> {
  const stop = new AbortController();
  const stats = newRelayStats();
  const running = runRelay(relayOptions(kafka, topics), { signal: stop.signal, log, stats });
  const failed = running.then(() => assert.fail("the relay stopped by itself"));
  const done = until("relayed", () => stop.signal.aborted || stats.recordsWritten >= count, 90_000);
  await Promise.race([failed, done]).finally(() => stop.abort());
  await running;
}

/** Writes the wide topic to a collection of the same name, until all of it is there, as the command does. */
async function sink(kafka: KafkaOptions, topics: Topics): Promise<void> {
  const { wide } = topics;
  const stop = new AbortController();
  const common = { kafka, log: testLog, signal: stop.signal };
  await prepareTopics({ ...common, existing: [wide], made: [`${wide}.dead-letter`], partitions: 1 });
  await using target = openMongoTarget({ url: services.mongoUrl, database: DATABASE });
  await using producer = new LastingProducer({ kafka, log: testLog, signal: new AbortController().signal });
  await using member = new GroupMember({ ...groupOf(sinkGroup(topics)), ...common, topics: [wide] });
  const stats = newSinkStats();
  const parts = {
    member,
    openSource: (positions, signal) => openSource({ kafka, log: testLog, positions, signal }),
    decoder: jsonDecoder,
    model: insertModel(collectionByTopic([{ topic: wide, collection: wide }]), "value"),
    target,
    deadLetters: new DeadLetters(producer),
    signal: stop.signal,
    stats,
    log: testLog,
  } satisfies Parameters<typeof runSink>[0];
  const running = runSink(parts, SINK_DEFAULTS);
  const failed = running.then(() => assert.fail("the sink stopped by itself"));
  const documents = client.db(DATABASE).collection(wide);
  const done = until(
    "written",
    async () => stop.signal.aborted || ((await documents.countDocuments()) === RECORDS - 1 && stats.recordsDeadLettered === 1),
    90_000,
  );
  await Promise.race([failed, done]).finally(() => stop.abort());
  await running;
}

async function lag(kafka: KafkaOptions, topics: Topics) {
  const options = { ...LAG_DEFAULTS, kafka, groups: [sinkGroup(topics)], intervalMs: 300 };
  const judge = { ...options.judge, stalledAfterMs: 1_000 };
  return await readLag({ ...options, judge }, { log: testLog, signal: AbortSignal.timeout(90_000) });
}

describe("relay, sink and lag, with the documented permissions and no others", { concurrency: 3 }, () => {
  for (const name of WAYS) {
    test(`by ${name}`, async () => {
      const topics = topicsOf(name);
      const relaying = kafkaOfWay(name, "relay");
      const look = { signal: AbortSignal.timeout(90_000), log: testLog };
      const { findings } = await preflight(relayOptions(relaying, topics), look, QUICK);
      const errors = findings.filter(({ severity }) => severity === "error");
      assert.deepEqual(errors, []);

      await relay(relaying, topics, RECORDS);
      const values = (await consume(admin, topics.wide, RECORDS)).map(({ value }) => value?.toString());
      assert.deepEqual([values.length, new Set(values).size], [RECORDS, RECORDS]);

      await sink(kafkaOfWay(name, "sink"), topics);
      const { groups, unseen } = await lag(kafkaOfWay(name, "lag"), topics);
      assert.deepEqual(unseen, []);
      assert.deepEqual(
        groups.flatMap(({ partitions }) => partitions.map(({ status }) => status)),
        ["caught up", "caught up", "caught up", "caught up"],
      );
    });
  }

  test("a login is renewed again and again, and nothing is heard of it", async () => {
    const complaints: string[] = [];
    const log = pino({ level: "warn" }, { write: (line: string) => complaints.push(line) });
    const kafka = kafkaOfWay("scram-sha-512", "relay");
    const startedAt = performance.now();
    const relaying = relay(kafka, LONG, RECORDS + 100, log);
    relaying.catch(() => {});
    while (performance.now() - startedAt < 3 * SESSION_MS) await pause(200);
    await produceAll(admin, LONG.hot, records(RECORDS, 100));
    await relaying;
    const values = (await consume(admin, LONG.wide, RECORDS + 100)).map(({ value }) => value?.toString());
    assert.equal(new Set(values).size, RECORDS + 100);
    // It may not use the control topic, and says so.
    assert.deepEqual(complaints.filter((line) => !line.includes("will not be heard")), []);
  });
});

describe("without any one of the permissions", () => {
  const run: Readonly<Record<string, (kafka: KafkaOptions) => Promise<unknown>>> = {
    relay: (kafka) => relay(kafka, LESS, 1),
    sink: (kafka) => sink(kafka, LESS),
    lag: async (kafka) => {
      const { unseen } = await lag(kafka, LESS);
      throw new SpillwayError("NOT_AUTHORIZED", unseen.map(({ why }) => why).join());
    },
  };
  before(async () => {
    await produceAll(admin, LESS.wide, records(0, RECORDS));
    await using brokers = new Brokers(admin, testLog);
    await setOffsets(brokers, sinkGroup(LESS), await startOf(admin, LESS.wide), "empty");
  });
  for (const need of documentedNeeds(LESS)) {
    test(`${need.part}: ${need.operation} on ${need.resource} ${need.name}`, async () => {
      const kafka = kafkaAs(userWithout(need));
      const error = await failureOf(run[need.part]?.(kafka));
      console.log(userWithout(need), "=>", error.code, error.message);
    });
  }
});

async function failureOf(work: Promise<unknown> | undefined): Promise<SpillwayError> {
  const error: unknown = await Promise.resolve(work).then(() => assert.fail("it did not fail")).catch((thrown: unknown) => thrown);
  assert.ok(error instanceof SpillwayError, messageOf(error));
  return error;
}

describe("who is not let in is told why, at once", () => {
  const cases: readonly (readonly [string, () => KafkaOptions | Promise<KafkaOptions>, ErrorCode, RegExp])[] = [
    ["a wrong password, PLAIN", () => withPassword("plain"), "AUTHENTICATION_FAILED", /x/],
    ["a wrong password, SCRAM", () => withPassword("scram-sha-256"), "AUTHENTICATION_FAILED", /x/],
    ["a wrong password, SCRAM 512", () => withPassword("scram-sha-512"), "AUTHENTICATION_FAILED", /x/],
    ["an expired token", () => kafkaAs("relay", -5), "AUTHENTICATION_FAILED", /x/],
    ["a wrong client secret", () => ({ ...kafkaBy({ ...environmentOf("oauthbearer-endpoint"), SPILLWAY_SASL_CLIENT_SECRET: "wrong" }) }), "AUTHENTICATION_FAILED", /x/],
    ["an authority that is not trusted", otherAuthority, "AUTHENTICATION_FAILED", /x/],
    ["another name", () => ({ ...kafkaOfWay("tls", "relay"), brokers: [secured.tls.replace("127.0.0.1", "localhost")] }), "AUTHENTICATION_FAILED", /x/],
    ["no certificate of the client", () => ({ ...kafkaOfWay("tls", "relay"), brokers: [secured.mutualTls] }), "AUTHENTICATION_FAILED", /x/],
    ["a stranger's certificate", strangersCertificate, "AUTHENTICATION_FAILED", /x/],
    ["a login where there is none", () => ({ ...kafkaOfWay("plain", "relay"), brokers: [secured.tls] }), "AUTHENTICATION_FAILED", /x/],
    ["no login where there is one", () => ({ ...kafkaOfWay("tls", "relay"), brokers: [secured.login], connectDeadlineMs: 500 }), "BROKER_UNREACHABLE", /x/],
    ["TLS to a plain port", () => ({ ...kafkaOfWay("tls", "relay"), brokers: admin.brokers, connectDeadlineMs: 500 }), "BROKER_UNREACHABLE", /x/],
    ["no TLS to a TLS port", () => ({ ...admin, brokers: [secured.tls], connectDeadlineMs: 500 }), "BROKER_UNREACHABLE", /x/],
  ];
  for (const [name, options, code, message] of cases) {
    test(name, async () => {
      const kafka = await options();
      await using brokers = new Brokers(kafka, testLog);
      const error = await failureOf(brokers.connect(AbortSignal.timeout(60_000), testLog));
      console.log(name, "=>", error.code, error.message, code, message);
    });
  }
});

function environmentOf(name: string) {
  return ways.get(name)?.environment("relay") ?? assert.fail(`no way ${name}`);
}

function withPassword(mechanism: string): KafkaOptions {
  const { SPILLWAY_SASL_PASSWORD_FILE: _file, ...environment } = environmentOf(mechanism);
  return kafkaBy({ ...environment, SPILLWAY_SASL_PASSWORD: "wrong-password" });
}

async function otherAuthority(): Promise<KafkaOptions> {
  const { caFile } = await makeAuthority(directory, "other");
  return kafkaBy({ ...environmentOf("plain"), SPILLWAY_SSL_CA_FILE: caFile });
}

async function strangersCertificate(): Promise<KafkaOptions> {
  const { certFile, keyFile } = await (await makeAuthority(directory, "strange")).issue("stranger");
  const { SPILLWAY_SSL_KEY_PASSPHRASE: _passphrase, ...environment } = environmentOf("mutual-tls");
  return kafkaBy({ ...environment, SPILLWAY_SSL_CERT_FILE: certFile, SPILLWAY_SSL_KEY_FILE: keyFile });
}
