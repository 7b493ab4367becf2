import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { type ConfigRequest, loadConfig } from "../../../src/config/config.ts";
import type { OptionKey } from "../../../src/config/option-table.ts";
import { SpillwayError } from "../../../src/errors.ts";

const directory = mkdtempSync(join(tmpdir(), "spillway-config-"));
after(() => rmSync(directory, { recursive: true }));

function yamlFile(text: string): string {
  const file = join(directory, `${Math.random()}.yaml`);
  writeFileSync(file, text);
  return file;
}

interface Given extends Omit<ConfigRequest, "flags" | "file"> {
  readonly flags?: Partial<Record<OptionKey, unknown>>;
  readonly yaml?: string;
}

function load({ flags = {}, yaml, ...request }: Given) {
  return loadConfig({
    environment: {},
    ...request,
    flags: new Map(Object.entries(flags) as [OptionKey, unknown][]),
    file: yaml === undefined ? undefined : yamlFile(yaml),
  });
}

const BY_TOKEN = { "kafka.ssl.enabled": "true", "kafka.sasl.mechanism": "oauthbearer" };

/** The message with the YAML file's path taken out. */
function problemOf(given: Given): string {
  try {
    load(given);
  } catch (error) {
    assert.ok(error instanceof SpillwayError && error.code === "CONFIG_INVALID");
    return error.message.replaceAll(`${directory}/`, "").replaceAll(/[\d.]+\.yaml/g, "FILE");
  }
  assert.fail("the configuration was accepted");
}

describe("precedence", () => {
  const yaml = "relay:\n  batchBytes: 3KiB\n";
  const environment = { SPILLWAY_RELAY_BATCH_BYTES: "2KiB" };

  test("a flag wins over everything", () => {
    const { values, settings } = load({ yaml, environment, flags: { "relay.batchBytes": "1KiB" } });
    assert.equal(values["relay.batchBytes"], 1024);
    assert.deepEqual(settings.find(({ key }) => key === "relay.batchBytes")?.source, {
      kind: "flag",
      flag: "--batch-bytes",
    });
  });

  test("the environment wins over the file", () => {
    assert.equal(load({ yaml, environment }).values["relay.batchBytes"], 2048);
  });

  test("the file wins over the default, and its line is known", () => {
    const { values, settings } = load({ yaml });
    assert.equal(values["relay.batchBytes"], 3072);
    const source = settings.find(({ key }) => key === "relay.batchBytes")?.source;
    assert.equal(source?.kind === "file" && source.line, 2);
  });

  test("the default is used where nothing is given", () => {
    assert.equal(load({}).values["relay.batchBytes"], 128 * 1024);
  });

  test("SPILLWAY_CONFIG names the file", () => {
    const file = yamlFile(yaml);
    assert.equal(load({ environment: { SPILLWAY_CONFIG: file } }).values["relay.batchBytes"], 3072);
  });

  test("an empty variable and an empty YAML value are not set", () => {
    const given = { yaml: "relay:\n  source:\nsink:\n", environment: { SPILLWAY_RELAY_SOURCE: "" } };
    assert.equal(load(given).values["relay.source"], undefined);
  });

  test("a wrong value is no problem where a stronger source overrules it", () => {
    const { values } = load({ environment: { SPILLWAY_SINK_LANES: "many" }, flags: { "sink.lanes": "4" } });
    assert.equal(values["sink.lanes"], 4);
  });
});

describe("values", () => {
  test("lists come from repeated flags, commas and YAML lists", () => {
    const expected = ["a:1", "b:2", "[::1]:3"];
    for (const given of [
      { flags: { "kafka.brokers": ["a:1", "b:2, [::1]:3"] } },
      { environment: { SPILLWAY_BROKERS: "a:1,b:2,[::1]:3" } },
      { yaml: "kafka:\n  brokers: [a:1, b:2, '[::1]:3']\n" },
    ]) {
      assert.deepEqual(load(given).values["kafka.brokers"], expected);
    }
  });

  test("routes come from repeated flags, commas and YAML mappings", () => {
    const expected = [
      { topic: "wide", collection: "prices" },
      { topic: "w.2", collection: "trades" },
    ];
    for (const given of [
      { flags: { "sink.routes": ["wide=prices", "w.2=trades"] } },
      { environment: { SPILLWAY_SINK_ROUTES: "wide=prices,w.2=trades" } },
      { yaml: "sink:\n  routes:\n    wide: prices\n    w.2: trades\n" },
    ]) {
      assert.deepEqual(load(given).values["sink.routes"], expected);
    }
  });

  test("sizes and times take units", () => {
    const { values } = load({ flags: { "relay.inFlightBytes": "4MiB", "consumer.sessionTimeoutMs": "45s" } });
    assert.equal(values["relay.inFlightBytes"], 4 * 1024 ** 2);
    assert.equal(values["consumer.sessionTimeoutMs"], 45_000);
  });

  test("a batch by default gives way to what may be in flight; one that was asked for doesn't", () => {
    const few = { "sink.inFlightRecords": "1000" };
    assert.equal(load({ flags: few }).values["sink.inFlightRecords"], 1_000);
    assert.throws(
      () => load({ flags: { ...few, "sink.batchRecords": "1001" } }),
      /sink\.batchRecords .* must not exceed/,
    );
  });

  test("a YAML alias stands for its value", () => {
    const { values } = load({ yaml: "relay:\n  source: &hot flood\nbackfill:\n  topic: *hot\n" });
    assert.equal(values["backfill.topic"], "flood");
  });

  test("a secret can come from a file, less its line end", () => {
    const environment = {
      SPILLWAY_SASL_PASSWORD_FILE: yamlFile("from a file \n"),
      SPILLWAY_SASL_USERNAME: "me",
      SPILLWAY_SASL_MECHANISM: "scram-sha-256",
    };
    assert.equal(load({ environment }).values["kafka.sasl.password"], "from a file ");
  });
});

describe("problems", () => {
  const cases: readonly (readonly [string, Given, string])[] = [
    [
      "a flag",
      { flags: { "relay.batchBytes": "5x" } },
      'relay.batchBytes is "5x" (flag --batch-bytes); allowed: a whole number of bytes from 1024 to 16777216, or a size such as 512KiB or 4MiB within that',
    ],
    [
      "a variable",
      { environment: { SPILLWAY_OFFSET_RESET: "newest" } },
      'consumer.offsetReset is "newest" (environment variable SPILLWAY_OFFSET_RESET); allowed: earliest, latest, stop',
    ],
    [
      "a line of a file",
      { yaml: "sink:\n  batchRecords: 50\n  lanes: 0\n" },
      "sink.lanes is 0 (FILE:3); allowed: a whole number from 1 to 4096",
    ],
    [
      "a number where a text must be quoted",
      { yaml: "kafka:\n  sasl: { mechanism: scram-sha-512, username: me, password: 01234567 }\n" },
      "kafka.sasl.password is *** (FILE:2); allowed: a text that is not empty (in YAML in quotes, if it looks like a number)",
    ],
    [
      "an unknown key",
      { yaml: "relay:\n  sorce: hot\n" },
      "FILE:2: there is no option relay.sorce. Did you mean relay.source?",
    ],
    [
      "an unknown section",
      { yaml: "rellay:\n  source: hot\n" },
      "FILE:1: there is no option rellay. Did you mean relay?",
    ],
    ["an unknown key like nothing", { yaml: "zzzzzzzzzzz: 1\n" }, "FILE:1: there is no option zzzzzzzzzzz"],
    ["a section that is none", { yaml: "relay: hot\n" }, "FILE:1: relay must be a mapping of keys to values"],
    ["a file that is a list", { yaml: "- relay\n" }, "FILE:1: the file must be a mapping of keys to values"],
    ["no YAML", { yaml: "relay: [\n" }, "FILE:2:1: this is not valid YAML (BAD_INDENT)"],
    ["an alias to nothing", { yaml: "relay:\n  source: *hot\n" }, "FILE:2: the value of relay.source can't be read"],
    [
      "--docker beside an address",
      { flags: { "demo.docker": true, "mongo.url": "mongodb://h" } },
      "demo.docker (flag --docker) starts its own, but mongo.url (flag --mongo-url) is set too: leave one out",
    ],
    ["a key twice", { yaml: "relay: {}\nrelay: {}\n" }, "FILE:2:1: this is not valid YAML (DUPLICATE_KEY)"],
    [
      "a secret twice",
      { environment: { SPILLWAY_MONGO_URL: "mongodb://a/", SPILLWAY_MONGO_URL_FILE: "/x" } },
      "mongo.url is set twice, by SPILLWAY_MONGO_URL and SPILLWAY_MONGO_URL_FILE; keep one of them",
    ],
    [
      "a secret's file that isn't there",
      { environment: { SPILLWAY_MONGO_URL_FILE: "/nowhere/x" } },
      "mongo.url: the file /nowhere/x (SPILLWAY_MONGO_URL_FILE) could not be read (ENOENT)",
    ],
    [
      "source and target alike",
      { flags: { "relay.source": "hot" }, environment: { SPILLWAY_RELAY_TARGET: "hot" } },
      "relay.target (environment variable SPILLWAY_RELAY_TARGET) is hot, as is relay.source (flag --source): choose another topic",
    ],
    [
      "a heartbeat as long as the session",
      { flags: { "consumer.heartbeatMs": "30s" } },
      "consumer.heartbeatMs (flag --heartbeat-ms) is 30000, but must be below consumer.sessionTimeoutMs (default), which is 30000",
    ],
    [
      "a user name alone",
      { environment: { SPILLWAY_SASL_USERNAME: "me" } },
      "kafka.sasl.username (environment variable SPILLWAY_SASL_USERNAME): set kafka.sasl.mechanism and kafka.sasl.password too",
    ],
    [
      "a mechanism alone",
      { environment: { SPILLWAY_SASL_MECHANISM: "scram-sha-256" } },
      "kafka.sasl.mechanism (environment variable SPILLWAY_SASL_MECHANISM): set kafka.sasl.username and kafka.sasl.password too",
    ],
    [
      "a login by token without a token",
      { flags: { ...BY_TOKEN } },
      "kafka.sasl.mechanism (flag --sasl-mechanism) needs kafka.sasl.tokenFile or kafka.sasl.tokenUrl",
    ],
    [
      "a login by token that has a password",
      {
        flags: { ...BY_TOKEN, "kafka.sasl.tokenFile": import.meta.filename },
        environment: { SPILLWAY_SASL_PASSWORD: "hunter2" },
      },
      "kafka.sasl.password (environment variable SPILLWAY_SASL_PASSWORD) is not for kafka.sasl.mechanism (flag --sasl-mechanism): leave it out",
    ],
    [
      "a token endpoint without a client",
      { flags: { ...BY_TOKEN, "kafka.sasl.tokenUrl": "https://h/token" } },
      "kafka.sasl.tokenUrl (flag --sasl-token-url): set kafka.sasl.clientId and kafka.sasl.clientSecret too",
    ],
    [
      "a client for a token that is in a file",
      {
        flags: {
          ...BY_TOKEN,
          "kafka.sasl.tokenFile": import.meta.filename,
          "kafka.sasl.scope": "kafka",
        },
      },
      "kafka.sasl.scope (flag --sasl-scope) is for kafka.sasl.tokenUrl, which is not set",
    ],
    [
      "peaks that are below the average",
      { flags: { "backfill.rate": "9", "backfill.peakRate": "8" } },
      "backfill.rate (flag --rate) is 9, but must not exceed backfill.peakRate (flag --peak-rate), which is 8",
    ],
    [
      "a collection without a topic",
      { flags: { "sink.collection": "c" } },
      "sink.collection (flag --collection) needs the topic, sink.topic",
    ],
    [
      "indexes for a database that takes none",
      { flags: { "sink.target": "dynamodb", "sink.indexes": ["prices=symbol"] } },
      "sink.indexes (flag --index) is for sink.target mongodb",
    ],
    [
      "metrics of groups that nobody chose",
      { flags: { "server.listen": "9464" } },
      "server.listen (flag --listen) needs lag.groups: say by --group whose lag to show",
    ],
    [
      "a topic routed twice",
      { flags: { "sink.topic": "a", "sink.routes": ["a=b"] } },
      "sink.routes (flag --route) sends a to more than one collection",
    ],
  ];
  for (const [name, given, expected] of cases) {
    test(name, () => assert.equal(problemOf(given), `The configuration has a problem: ${expected}`));
  }

  test("a file that isn't there", () => {
    assert.throws(() => loadConfig({ environment: {}, flags: new Map(), file: "/nowhere/x.yaml" }), {
      message: "The configuration has a problem: the configuration file /nowhere/x.yaml could not be read (ENOENT)",
    });
  });

  test("TLS files without TLS, unreadable, and a certificate without its key", () => {
    const problem = problemOf({ flags: { "kafka.ssl.certFile": "/nowhere/c.pem" } });
    assert.match(problem, /has 3 problems:\n/);
    assert.match(
      problem,
      / {2}- kafka.ssl.certFile \(flag --ssl-cert-file\) is for TLS, but kafka.ssl.enabled \(default\) is false/,
    );
    assert.match(problem, / {2}- kafka.ssl.certFile \(.*\) is \/nowhere\/c.pem, which is no file that can be read/);
    assert.match(problem, / {2}- kafka.ssl.certFile \(.*\) needs the certificate's private key, kafka.ssl.keyFile/);
  });

  test("SASL extensions, as a flag and in YAML", () => {
    const token = { "kafka.sasl.mechanism": "oauthbearer", "kafka.sasl.tokenFile": import.meta.filename };
    const expected = { logicalCluster: "lkc-1", poolId: "a=b" };
    const byFlag = load({ flags: { ...token, "kafka.sasl.extensions": ["logicalCluster=lkc-1,poolId=a=b"] } });
    assert.deepEqual(byFlag.values["kafka.sasl.extensions"], expected);
    const yaml = "kafka: { sasl: { extensions: { logicalCluster: lkc-1, poolId: a=b } } }\n";
    assert.deepEqual(load({ flags: token, yaml }).values["kafka.sasl.extensions"], expected);
    assert.match(problemOf({ flags: { ...token, "kafka.sasl.extensions": ["auth=x"] } }), /allowed: name=text/);
  });

  test("nothing listens unless told, and by a port alone for this machine only", () => {
    const named = { "lag.groups": ["price-service"] };
    const listen = (value?: string) =>
      load({ flags: value === undefined ? named : { ...named, "server.listen": value } }).values;
    assert.equal(listen()["server.listen"], undefined);
    assert.deepEqual(listen("9464")["server.listen"], { host: "127.0.0.1", port: 9_464 });
    assert.deepEqual(listen("0.0.0.0:9464")["server.listen"], { host: "0.0.0.0", port: 9_464 });
  });

  test("a secret that would travel readably is warned of", () => {
    const login = {
      "kafka.sasl.mechanism": "oauthbearer",
      "kafka.sasl.clientId": "me",
      "kafka.sasl.clientSecret": "hunter2",
    };
    const warningsFor = (url: string) => load({ flags: { ...login, "kafka.sasl.tokenUrl": url } }).warnings;
    assert.deepEqual(warningsFor("http://h/token"), [
      "kafka.sasl.mechanism (flag --sasl-mechanism) sends the token readably without kafka.ssl.enabled",
      "kafka.sasl.tokenUrl (flag --sasl-token-url) is http: the client's secret goes there readably",
    ]);
    assert.equal(warningsFor("http://127.0.0.1:1/token").length, 1);
    assert.equal(warningsFor("https://h/token").length, 1);
  });

  test("the address of MongoDB, unless another database is written to", () => {
    const given = { command: "sink", environment: { SPILLWAY_BROKERS: "a:1" } } as const;
    const flags = { "sink.topic": "prices" };
    assert.match(problemOf({ ...given, flags }), /mongo.url is not set; .* or choose another sink.target$/);
    const { values } = load({ ...given, flags: { ...flags, "sink.target": "dynamodb" } });
    assert.equal(values["sink.target"], "dynamodb");
    assert.equal(values["mongo.url"], undefined);
  });

  test("all at once, with what is required and what looks odd", () => {
    const problem = problemOf({
      command: "sink",
      environment: { SPILLWAY_BROKER: "a:1" },
      flags: { "sink.lanes": "x" },
    });
    assert.match(problem, /has 4 problems:\n/);
    assert.match(
      problem,
      /kafka.brokers is not set; set it by --brokers, SPILLWAY_BROKERS or kafka.brokers in a --config file; allowed: host:port/,
    );
    assert.match(
      problem,
      /mongo.url is not set; set it by --mongo-url, SPILLWAY_MONGO_URL, SPILLWAY_MONGO_URL_FILE or/,
    );
    assert.match(problem, /neither sink.topic nor sink.routes is set/);
    assert.match(problem, /sink.lanes is "x"/);
    assert.match(
      problem,
      /also: the environment variable SPILLWAY_BROKER means nothing. Did you mean SPILLWAY_BROKERS\?/,
    );
  });

  test("a value that isn't allowed counts as set", () => {
    const problem = problemOf({
      flags: { "kafka.sasl.mechanism": "gssapi", "kafka.sasl.username": "me" },
      environment: { SPILLWAY_SASL_PASSWORD: "hunter22" },
    });
    assert.match(problem, /^The configuration has a problem: kafka.sasl.mechanism is "gssapi"/);
  });

  test("each kind of value refuses what it must", () => {
    const wrong: Partial<Record<OptionKey, readonly unknown[]>> = {
      "kafka.brokers": ["", "a", "a:0", "a:65536", "a:b", ":1", "http://a:1", "a:1,,b:2"],
      "relay.source": ["", ".", "..", "a b", "a/b", "x".repeat(250)],
      "relay.partitions": ["0", "1.5", "1e3", "", "ten", "-1"],
      "relay.provenance": ["maybe", ""],
      "consumer.heartbeatMs": ["3", "3 hours", "1m30s", "-3s"],
      "backfill.skew": ["-1", "11", "x"],
      "sink.routes": ["a", "=b", "a=", "a=b=$c", "a b=c"],
      "mongo.url": [
        "",
        "http://a",
        "mongodb://",
        "mongodb://u:p@w@h",
        "mongodb://u:p/w@h",
        "mongodb://u:p w@h",
        "a:27017",
      ],
      "dynamo.endpoint": ["", "a:8000", "ftp://a", "http://u:p@a:8000", "http://"],
      "mongo.database": ["", "a.b", "a b", "x".repeat(64)],
      "sink.collection": ["", "system.x", "a$b"],
    };
    for (const [key, values] of Object.entries(wrong)) {
      for (const value of values)
        assert.throws(() => load({ flags: { [key]: value } }), SpillwayError, `${key}=${value}`);
    }
  });

  test("each form of database address is taken", () => {
    for (const url of [
      "mongodb://h",
      "mongodb://h:27017/db?retryWrites=true&w=majority",
      "mongodb://u:p%40w@h1:1,h2:2/db",
      "mongodb+srv://u:p@cluster0.example.net",
      "mongodb://[::1]:27017/",
      "mongodb://%2Ftmp%2Fmongodb-27017.sock",
    ]) {
      assert.equal(load({ flags: { "mongo.url": url } }).values["mongo.url"], url);
    }
  });
});

describe("warnings", () => {
  test("fewer connections than writers", () => {
    const flags = { "sink.writers": "8", "sink.lanes": "4096" };
    const environment = {
      ...{ SPILLWAY_BROKERS: "b:9092", SPILLWAY_SINK_TOPIC: "prices", SPILLWAY_MONGO_URL: "mongodb://h" },
    };
    const warningsFor = (more: Readonly<Record<string, string>>) =>
      load({ environment, flags: { ...flags, ...more }, command: "sink" }).warnings;
    assert.deepEqual(warningsFor({}), []);
    assert.match(warningsFor({ "mongo.maxPoolSize": "7" }).join(), /sink\.writers.* 8.*mongo\.maxPoolSize.* 7/);
  });

  test("unknown variables are named with the nearest known one", () => {
    const { warnings } = load({
      environment: { SPILLWAY_RELAY_BATCH_BYTE: "1", SPILLWAY_PORT: "tcp://x", OTHER: "1" },
    });
    assert.deepEqual(warnings, [
      "the environment variable SPILLWAY_PORT means nothing",
      "the environment variable SPILLWAY_RELAY_BATCH_BYTE means nothing. Did you mean SPILLWAY_RELAY_BATCH_BYTES?",
    ]);
  });

  test("variables of tests and services are known", () => {
    assert.deepEqual(load({ environment: { SPILLWAY_TEST_X: "1", SPILLWAY_SERVICES_DIR: "/x" } }).warnings, []);
  });

  test("a password that is sent readably", () => {
    const environment = {
      SPILLWAY_SASL_PASSWORD: "hunter22",
      SPILLWAY_SASL_USERNAME: "me",
      SPILLWAY_SASL_MECHANISM: "plain",
    };
    assert.match(load({ environment }).warnings[0] ?? "", /sends the password readably/);
  });
});
