import type { ConnectionOptions } from "node:tls";
import type { ISocketFactory, KafkaConfig } from "kafkajs";

/** User name and password for one of the mechanisms that need no more. */
export interface PasswordLogin {
  readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
  readonly username: string;
  readonly password: string;
}

/** A token for every login, first and renewed: the provider is asked each time, and keeps what is still good. */
export interface TokenLogin {
  readonly mechanism: "oauthbearer";
  readonly oauthBearerProvider: () => Promise<BearerToken>;
}

export interface BearerToken {
  readonly value: string;
  /** SASL extensions (RFC 7628), such as Confluent Cloud's logicalCluster. */
  readonly extensions?: Readonly<Record<string, string>>;
}

/** As KafkaJS has them. */
export type SaslOptions = PasswordLogin | TokenLogin;

/** How to reach a cluster. */
export interface KafkaOptions {
  /** host:port of some brokers; the others are discovered. */
  readonly brokers: readonly string[];
  /** Instead of them: asked whenever no broker that is known can be reached. */
  readonly findBrokers?: () => Promise<readonly string[]>;
  readonly clientId: string;
  readonly ssl?: ConnectionOptions | undefined;
  /** Or any other that KafkaJS has, or takes. */
  readonly sasl?: SaslOptions | KafkaConfig["sasl"] | undefined;
  /** Milliseconds to open a connection. */
  readonly connectionTimeoutMs: number;
  /** Milliseconds that a login may take; as long as a request unless told. */
  readonly authenticationTimeoutMs?: number;
  /** Milliseconds before a login runs out at which it is done again. */
  readonly reauthenticationThresholdMs?: number;
  /** Milliseconds a broker may take to answer; a request that waits at the broker may take that much longer. */
  readonly requestTimeoutMs: number;
  /** Milliseconds to keep trying to reach the cluster at the start, before that is an error. */
  readonly connectDeadlineMs: number;
  /** Opens sockets in another way: through a tunnel, say. */
  readonly socketFactory?: ISocketFactory;
}

export const KAFKA_DEFAULTS = {
  clientId: "spillway",
  connectionTimeoutMs: 5_000,
  requestTimeoutMs: 30_000,
  connectDeadlineMs: 15_000,
} as const satisfies Partial<KafkaOptions>;
