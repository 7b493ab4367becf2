import { join } from "node:path";
import { type Authority, type CertificateFiles, keyStore, makeAuthority } from "../certificates.ts";
import { freePort } from "../ports.ts";
import type { KafkaOptions } from "./kafka.ts";
import type { Listener } from "./settings.ts";

export interface SecuredKafka {
  /** For `startServices`. Its plain listener is the administrator's, who may do everything. */
  readonly kafka: KafkaOptions;
  readonly authority: Authority;
  /** 127.0.0.1:port of each further listener. */
  readonly tls: string;
  /** Wants a certificate of the client: its common name is the user. */
  readonly mutualTls: string;
  /** TLS, and a login by PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER (tokens without a signature). */
  readonly login: string;
}

export interface SecuredOptions {
  /** Where certificates go. */
  readonly directory: string;
  /** Passwords by user. */
  readonly users: Readonly<Record<string, string>>;
  /** After which a login has to be renewed, in milliseconds. */
  readonly sessionMs: number;
}

const LOGIN_MODULE = "org.apache.kafka.common.security";
const SCRAM = ["SCRAM-SHA-256", "SCRAM-SHA-512"] as const;

/** One broker that is reached by TLS, by mutual TLS and by login, and lets nobody do what no ACL allows. */
export async function securedKafka({ directory, users, sessionMs }: SecuredOptions): Promise<SecuredKafka> {
  const authority = await makeAuthority(directory, "authority");
  const broker = await authority.issue("broker", { names: "IP:127.0.0.1" });
  const listeners: readonly [Listener, Listener, Listener] = [
    { name: "TLS", protocol: "SSL", port: await freePort() },
    { name: "MUTUAL", protocol: "SSL", port: await freePort() },
    { name: "LOGIN", protocol: "SASL_SSL", port: await freePort() },
  ];
  const config = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
    ...tlsConfig(authority, broker, join(directory, "broker-store.pem")),
    "listener.name.mutual.ssl.client.auth": "required",
    "listener.name.mutual.ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/",
    ...loginConfig(users, sessionMs),
  };
  const [tls, mutualTls, login] = listeners;
  return {
    kafka: { config, listeners, scram: scramUsers(users) },
    authority,
    tls: addressOf(tls),
    mutualTls: addressOf(mutualTls),
    login: addressOf(login),
  };
}

function tlsConfig({ caFile }: Authority, broker: CertificateFiles, file: string): Record<string, string> {
  return {
    "ssl.keystore.type": "PEM",
    "ssl.keystore.location": keyStore(broker, file),
    "ssl.truststore.type": "PEM",
    "ssl.truststore.location": caFile,
  };
}

function loginConfig(users: SecuredOptions["users"], sessionMs: number): Record<string, string> {
  const of = "listener.name.login";
  const known = Object.entries(users).map(([name, password]) => `user_${name}="${password}"`);
  return {
    [`${of}.sasl.enabled.mechanisms`]: ["PLAIN", ...SCRAM, "OAUTHBEARER"].join(),
    [`${of}.plain.sasl.jaas.config`]: `${LOGIN_MODULE}.plain.PlainLoginModule required ${known.join(" ")};`,
    [`${of}.scram-sha-256.sasl.jaas.config`]: `${LOGIN_MODULE}.scram.ScramLoginModule required;`,
    [`${of}.scram-sha-512.sasl.jaas.config`]: `${LOGIN_MODULE}.scram.ScramLoginModule required;`,
    [`${of}.oauthbearer.sasl.jaas.config`]: `${LOGIN_MODULE}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`,
    [`${of}.connections.max.reauth.ms`]: String(sessionMs),
  };
}

function scramUsers(users: SecuredOptions["users"]): string[] {
  return Object.entries(users).flatMap(([name, password]) =>
    SCRAM.map((mechanism) => `${mechanism}=[name=${name},password=${password}]`),
  );
}

function addressOf({ port }: Listener): string {
  return `127.0.0.1:${port}`;
}
