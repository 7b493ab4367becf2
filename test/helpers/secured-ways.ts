import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SecuredKafka } from "../../services/kafka/secured.ts";
import { kafkaOptions } from "../../src/cli/kafka-options.ts";
import { loadConfig } from "../../src/config/config.ts";
import type { KafkaOptions } from "../../src/kafka/options.ts";
import { type HttpDouble, httpDouble } from "./http-double.ts";

export type Environment = Readonly<Record<string, string>>;

/** A way to reach the secured broker, as a user sets it: by environment. */
export interface Way {
  readonly name: string;
  environment(user: string): Environment;
}

interface WaysOptions {
  readonly secured: SecuredKafka;
  readonly directory: string;
  readonly passwords: Environment;
  readonly passphrase: string;
  readonly tokenUrl: string;
}

/** All of them. Whoever comes by `tls` is nobody to the broker, which is the administrator here. */
export async function securedWays(options: WaysOptions): Promise<readonly Way[]> {
  const { secured, directory, passwords, passphrase, tokenUrl } = options;
  const tls = { SPILLWAY_SSL: "true", SPILLWAY_SSL_CA_FILE: secured.authority.caFile };
  const login = { ...tls, SPILLWAY_BROKERS: secured.login };
  for (const [user, password] of Object.entries(passwords)) {
    writeFileSync(join(directory, `${user}.password`), `${password}\n`);
    writeFileSync(join(directory, `${user}.token`), `${tokenFor(user)}\n`);
    await secured.authority.issue(user, { passphrase });
  }
  const byPassword = (mechanism: string): Way => ({
    name: mechanism,
    environment: (user) => ({
      ...login,
      SPILLWAY_SASL_MECHANISM: mechanism,
      SPILLWAY_SASL_USERNAME: user,
      SPILLWAY_SASL_PASSWORD_FILE: join(directory, `${user}.password`),
    }),
  });
  return [
    { name: "tls", environment: () => ({ ...tls, SPILLWAY_BROKERS: secured.tls }) },
    {
      name: "mutual-tls",
      environment: (user) => ({
        ...tls,
        SPILLWAY_BROKERS: secured.mutualTls,
        SPILLWAY_SSL_CERT_FILE: join(directory, `${user}.pem`),
        SPILLWAY_SSL_KEY_FILE: join(directory, `${user}.key`),
        SPILLWAY_SSL_KEY_PASSPHRASE: passphrase,
      }),
    },
    ...["plain", "scram-sha-256", "scram-sha-512"].map(byPassword),
    {
      name: "oauthbearer-file",
      environment: (user) => ({
        ...login,
        SPILLWAY_SASL_MECHANISM: "oauthbearer",
        SPILLWAY_SASL_TOKEN_FILE: join(directory, `${user}.token`),
      }),
    },
    {
      name: "oauthbearer-endpoint",
      environment: (user) => ({
        ...login,
        SPILLWAY_SASL_MECHANISM: "oauthbearer",
        SPILLWAY_SASL_TOKEN_URL: tokenUrl,
        SPILLWAY_SASL_CLIENT_ID: user,
        SPILLWAY_SASL_CLIENT_SECRET: passwords[user] ?? "",
      }),
    },
  ];
}

/** What a command makes of it. */
export function kafkaBy(environment: Environment): KafkaOptions {
  const { values } = loadConfig({ environment, flags: new Map() });
  return kafkaOptions(values);
}

/** As the broker takes it here: without a signature. @param seconds until it expires */
export function tokenFor(user: string, seconds = 600): string {
  const now = Math.floor(Date.now() / 1000);
  const parts = [{ alg: "none" }, { sub: user, iat: now - 60, exp: now + seconds, scope: "kafka" }];
  return `${parts.map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".")}.`;
}

/** An OAuth server's token endpoint: gives a token to whoever shows the user's password. */
export function tokenEndpoint(passwords: Environment): Promise<HttpDouble> {
  return httpDouble(({ headers }, response) => {
    const [, encoded = ""] = headers.authorization?.split(" ") ?? [];
    const [user = "", password] = Buffer.from(encoded, "base64").toString("utf8").split(":");
    if (passwords[user] !== password) response.writeHead(401).end('{"error":"invalid_client"}');
    else response.end(JSON.stringify({ access_token: tokenFor(user), token_type: "Bearer", expires_in: 600 }));
  });
}
