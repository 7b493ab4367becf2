import { readFileSync } from "node:fs";
import type { Values } from "../config/option-table.ts";
import { rememberSecret } from "../config/secrets.ts";
import type { GroupOptions } from "../kafka/group-member.ts";
import type { KafkaOptions } from "../kafka/options.ts";
import type { FetchOptions } from "../kafka/source.ts";
import { relayGroupOf } from "../relay/group-name.ts";

/** How to reach the cluster, with the TLS files read. */
export function kafkaOptions(values: Values): KafkaOptions {
  const {
    "kafka.sasl.mechanism": mechanism,
    "kafka.sasl.username": username,
    "kafka.sasl.password": password,
  } = values;
  const hasSasl = mechanism !== undefined && username !== undefined && password !== undefined;
  return {
    brokers: values["kafka.brokers"] ?? [],
    clientId: values["kafka.clientId"],
    ssl: values["kafka.ssl.enabled"] ? tlsOptions(values) : undefined,
    sasl: hasSasl ? { mechanism, username, password } : undefined,
    connectionTimeoutMs: values["kafka.connectionTimeoutMs"],
    requestTimeoutMs: values["kafka.requestTimeoutMs"],
    connectDeadlineMs: values["kafka.connectDeadlineMs"],
  };
}

/** The relay's group: whoever asks where a relay is must have the same. */
export function relayGroup(values: Values, source: string): string {
  return values["relay.group"] ?? relayGroupOf(source);
}

export function groupOptions(values: Values, group: string): Omit<GroupOptions, "topics"> {
  return {
    group,
    sessionTimeoutMs: values["consumer.sessionTimeoutMs"],
    heartbeatMs: values["consumer.heartbeatMs"],
    rebalanceTimeoutMs: values["consumer.rebalanceTimeoutMs"],
    offsetReset: values["consumer.offsetReset"],
    instanceId: values["consumer.instanceId"],
    metadataRefreshMs: values["consumer.metadataRefreshMs"],
  };
}

export function fetchOptions(values: Values): Partial<FetchOptions> {
  return {
    maxWaitMs: values["consumer.fetchMaxWaitMs"],
    minBytes: values["consumer.fetchMinBytes"],
    partitionBytes: values["consumer.fetchPartitionBytes"],
    responseBytes: values["consumer.fetchResponseBytes"],
    queuedBytes: values["consumer.fetchQueuedBytes"],
    outOfRange: values["consumer.outOfRange"],
  };
}

function tlsOptions(values: Values): NonNullable<KafkaOptions["ssl"]> {
  const read = (file: string | undefined): string | undefined =>
    file === undefined ? undefined : readFileSync(file, "utf8");
  const key = read(values["kafka.ssl.keyFile"]);
  if (key !== undefined) rememberSecret(key);
  return {
    ca: read(values["kafka.ssl.caFile"]),
    cert: read(values["kafka.ssl.certFile"]),
    key,
    passphrase: values["kafka.ssl.keyPassphrase"],
    rejectUnauthorized: values["kafka.ssl.rejectUnauthorized"],
  };
}
