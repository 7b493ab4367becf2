import { accessSync, constants } from "node:fs";
import { type Check, type CheckedOptions, type Finding, mustBeBelow, mustNotExceed } from "../check.ts";
import { KAFKA_CLIENTS } from "../option.ts";

const CONSUMERS = ["relay", "sink"] as const;

export const KAFKA_CHECKS: readonly Check[] = [
  { commands: KAFKA_CLIENTS, kind: "problem", find: tls },
  { commands: KAFKA_CLIENTS, kind: "problem", find: sasl },
  { commands: KAFKA_CLIENTS, kind: "warning", find: readablePassword },
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

const SASL = ["kafka.sasl.mechanism", "kafka.sasl.username", "kafka.sasl.password"] as const;

function sasl({ isSet, name }: CheckedOptions): Finding[] {
  const given = SASL.filter(isSet);
  const missing = SASL.filter((key) => !isSet(key));
  return [
    given.length > 0 && missing.length > 0 && `${given.map(name).join(" and ")}: set ${missing.join(" and ")} too`,
  ];
}

function readablePassword({ values, name }: CheckedOptions): Finding[] {
  const isReadable = values["kafka.sasl.mechanism"] === "plain" && values["kafka.ssl.enabled"] === false;
  return [isReadable && `${name("kafka.sasl.mechanism")} sends the password readably without kafka.ssl.enabled`];
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
