import { accessSync, constants } from "node:fs";
import { type Check, type CheckedOptions, type Finding, mustBeBelow, mustNotExceed } from "../check.ts";
import { KAFKA_CLIENTS } from "../option.ts";
import type { OptionKey } from "../option-table.ts";

const CONSUMERS = ["relay", "sink"] as const;

export const KAFKA_CHECKS: readonly Check[] = [
  { commands: KAFKA_CLIENTS, kind: "problem", find: tls },
  { commands: KAFKA_CLIENTS, kind: "problem", find: sasl },
  { commands: KAFKA_CLIENTS, kind: "warning", find: readablePassword },
  { commands: KAFKA_CLIENTS, kind: "warning", find: readableSecret },
  { commands: CONSUMERS, kind: "problem", find: membership },
  { commands: CONSUMERS, kind: "problem", find: fetchSizes },
];

const TLS_FILES = ["kafka.ssl.caFile", "kafka.ssl.certFile", "kafka.ssl.keyFile"] as const;

function tls({ values, isSet, name }: CheckedOptions): Finding[] {
  const files = TLS_FILES.filter(isSet);
  const [cert, key] = [isSet("kafka.ssl.certFile"), isSet("kafka.ssl.keyFile")];
  const isOff = values["kafka.ssl.enabled"] === false;
  return [
    ...files.map(
      (file) => isOff && `${name(file)} is for TLS, but ${name("kafka.ssl.enabled")} is false; make it true`,
    ),
    ...files.map((file) => unreadable(values[file], name(file))),
    cert && !key && `${name("kafka.ssl.certFile")} needs the certificate's private key, kafka.ssl.keyFile`,
    key && !cert && `${name("kafka.ssl.keyFile")} needs the key's certificate, kafka.ssl.certFile`,
    isSet("kafka.ssl.keyPassphrase") && !key && `${name("kafka.ssl.keyPassphrase")} needs a key, kafka.ssl.keyFile`,
  ];
}

function unreadable(file: string | undefined, named: string): Finding {
  if (file === undefined) return false;
  try {
    accessSync(file, constants.R_OK);
    return false;
  } catch {
    return `${named} is ${file}, which is no file that can be read`;
  }
}

const PASSWORD = ["kafka.sasl.username", "kafka.sasl.password"] as const;
const TOKEN = ["kafka.sasl.tokenFile", "kafka.sasl.tokenUrl"] as const;
const CLIENT = ["kafka.sasl.clientId", "kafka.sasl.clientSecret"] as const;
const SASL = [...PASSWORD, ...TOKEN, ...CLIENT, "kafka.sasl.scope", "kafka.sasl.extensions"] as const;

function sasl(options: CheckedOptions): Finding[] {
  const { values, isSet, name } = options;
  const given = SASL.filter(isSet);
  const isPasswordGiven = PASSWORD.some(isSet);
  const withoutPassword = PASSWORD.filter((key) => !isSet(key));
  if (!isSet("kafka.sasl.mechanism")) {
    const missing = ["kafka.sasl.mechanism", ...(isPasswordGiven ? withoutPassword : [])];
    return [given.length > 0 && `${given.map(name).join(" and ")}: set ${missing.join(" and ")} too`];
  }
  const mechanism = name("kafka.sasl.mechanism");
  const isByToken = values["kafka.sasl.mechanism"] === "oauthbearer";
  const others = given.filter((key) => isByToken === (PASSWORD as readonly OptionKey[]).includes(key));
  const unfit = others.map((key) => `${name(key)} is not for ${mechanism}: leave it out`);
  if (isByToken) return [...unfit, ...byToken(options)];
  const missing = withoutPassword.length > 0 && `${mechanism}: set ${withoutPassword.join(" and ")} too`;
  return [...unfit, missing];
}

function byToken({ values, isSet, name }: CheckedOptions): Finding[] {
  const ways = TOKEN.filter(isSet);
  const missing = CLIENT.filter((key) => !isSet(key));
  const isByUrl = isSet("kafka.sasl.tokenUrl");
  return [
    ways.length === 0 && `${name("kafka.sasl.mechanism")} needs ${TOKEN.join(" or ")}`,
    ways.length > 1 && `${ways.map(name).join(" and ")} are ways to get a token: keep one of them`,
    isByUrl && missing.length > 0 && `${name("kafka.sasl.tokenUrl")}: set ${missing.join(" and ")} too`,
    ...[...CLIENT, "kafka.sasl.scope" as const].map(
      (key) => !isByUrl && isSet(key) && `${name(key)} is for kafka.sasl.tokenUrl, which is not set`,
    ),
    unreadable(values["kafka.sasl.tokenFile"], name("kafka.sasl.tokenFile")),
  ];
}

function readableSecret({ values, name }: CheckedOptions): Finding[] {
  const url = values["kafka.sasl.tokenUrl"];
  const isReadable = url?.toLowerCase().startsWith("http:") === true && !LOOPBACK.has(new URL(url).hostname);
  return [isReadable && `${name("kafka.sasl.tokenUrl")} is http: the client's secret goes there readably`];
}

const LOOPBACK: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]"]);

function readablePassword({ values, name }: CheckedOptions): Finding[] {
  const mechanism = values["kafka.sasl.mechanism"];
  const sent = mechanism === "plain" ? "password" : mechanism === "oauthbearer" ? "token" : undefined;
  const isReadable = sent !== undefined && values["kafka.ssl.enabled"] === false;
  return [isReadable && `${name("kafka.sasl.mechanism")} sends the ${sent} readably without kafka.ssl.enabled`];
}

function membership(options: CheckedOptions): Finding[] {
  return [mustBeBelow(options, "consumer.heartbeatMs", "consumer.sessionTimeoutMs")];
}

function fetchSizes(options: CheckedOptions): Finding[] {
  return [
    mustNotExceed(options, "consumer.fetchMinBytes", "consumer.fetchResponseBytes"),
    mustNotExceed(options, "consumer.fetchPartitionBytes", "consumer.fetchResponseBytes"),
  ];
}
