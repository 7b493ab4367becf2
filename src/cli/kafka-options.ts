import { readFileSync } from "node:fs";
import { type ConnectionOptions, createSecureContext } from "node:tls";
import type { Values } from "../config/option-table.ts";
import { rememberSecret, rememberToken } from "../config/secrets.ts";
import { messageOf, SpillwayError } from "../errors.ts";
import type { GroupOptions } from "../kafka/group-member.ts";
import { ClientCredentialTokens } from "../kafka/login/client-credentials.ts";
import { tokenOfFile } from "../kafka/login/token-file.ts";
import type { KafkaOptions, SaslOptions } from "../kafka/options.ts";
import type { FetchOptions } from "../kafka/source.ts";
import { relayGroupOf } from "../relay/group-name.ts";

/** How to reach the cluster, with the TLS files read. */
export function kafkaOptions(values: Values): KafkaOptions {
  return {
    brokers: values["kafka.brokers"] ?? [],
    clientId: values["kafka.clientId"],
    ssl: values["kafka.ssl.enabled"] ? tlsOptions(values) : undefined,
    sasl: loginOptions(values),
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

/** @throws SpillwayError CONFIG_INVALID if the files hold nothing to be used */
function tlsOptions(values: Values): ConnectionOptions {
  const read = (file: string | undefined): string | undefined =>
    file === undefined ? undefined : readFileSync(file, "utf8");
  const key = read(values["kafka.ssl.keyFile"]);
  if (key !== undefined) rememberSecret(key);
  const files = {
    ca: read(values["kafka.ssl.caFile"]),
    cert: read(values["kafka.ssl.certFile"]),
    key,
    passphrase: values["kafka.ssl.keyPassphrase"],
  };
  try {
    createSecureContext(files);
  } catch (cause) {
    throw new SpillwayError("CONFIG_INVALID", `The files of kafka.ssl can't be used: ${messageOf(cause)}`, {
      cause,
      context: { hint: "Check that they are PEM files, that key and certificate fit, and the key's passphrase" },
    });
  }
  return { ...files, rejectUnauthorized: values["kafka.ssl.rejectUnauthorized"] };
}

function loginOptions(values: Values): SaslOptions | undefined {
  const {
    "kafka.sasl.mechanism": mechanism,
    "kafka.sasl.username": username,
    "kafka.sasl.password": password,
    "kafka.sasl.extensions": extensions = {},
  } = values;
  if (mechanism === "oauthbearer") {
    const getToken = tokens(values);
    return {
      mechanism,
      oauthBearerProvider: async () => {
        const value = await getToken();
        rememberToken(value);
        return { value, extensions };
      },
    };
  }
  if (mechanism === undefined || username === undefined || password === undefined) return undefined;
  return { mechanism, username, password };
}

/** Where each login's token comes from. The checks have seen to it that one of the two ways is there. */
function tokens(values: Values): () => Promise<string> {
  const {
    "kafka.sasl.tokenFile": file = "",
    "kafka.sasl.tokenUrl": url,
    "kafka.sasl.clientId": clientId = "",
    "kafka.sasl.clientSecret": clientSecret = "",
    "kafka.sasl.scope": scope,
    "kafka.requestTimeoutMs": timeoutMs,
  } = values;
  if (url === undefined) return () => tokenOfFile(file);
  const credentials = new ClientCredentialTokens({ url, clientId, clientSecret, scope, timeoutMs });
  return () => credentials.token();
}
