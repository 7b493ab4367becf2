import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type SecuredKafka, securedKafka } from "../../services/kafka/secured.ts";
import { startServices } from "../../services/services.ts";
import type { KafkaOptions } from "../../src/kafka/options.ts";
import { kafkaOf } from "./kafka.ts";
import { type Environment, kafkaBy, securedWays, tokenEndpoint, tokenFor } from "./secured-ways.ts";

interface SceneOptions {
  /** By user: relay, sink and lag. */
  readonly passwords: Environment;
  /** Of the users' private keys. */
  readonly passphrase: string;
  readonly databaseLogin: { readonly username: string; readonly password: string };
  readonly sessionMs: number;
}

/** A broker that is reached in all secure ways, and a database that wants TLS and a login. */
export interface SecuredScene extends AsyncDisposable {
  readonly secured: SecuredKafka;
  readonly directory: string;
  readonly mongoUrl: string;
  /** May do everything. */
  readonly admin: KafkaOptions;
  /** How a user sets a way. */
  environment(way: string, user: string): Environment;
  /** What a command makes of that. */
  kafka(way: string, user: string): KafkaOptions;
  /** For any user at all: whoever makes a token is trusted here. @param seconds until it expires */
  kafkaAs(user: string, seconds?: number): KafkaOptions;
}

const SLOW_MACHINE = { connectDeadlineMs: 30_000 };

export async function openSecuredScene(options: SceneOptions): Promise<SecuredScene> {
  const { passwords, passphrase, databaseLogin, sessionMs } = options;
  await using stack = new AsyncDisposableStack();
  const directory = mkdtempSync(join(tmpdir(), "spillway-security-"));
  stack.defer(() => rmSync(directory, { recursive: true }));
  const secured = await securedKafka({ directory, users: passwords, sessionMs });
  const certificate = await secured.authority.issue("database", { names: "IP:127.0.0.1" });
  const access = { login: databaseLogin, tls: { ...certificate, caFile: secured.authority.caFile } };
  const services = stack.use(await startServices({ own: true, kafka: secured.kafka, mongo: access }));
  const { url: tokenUrl } = stack.use(await tokenEndpoint(passwords));
  const ways = await securedWays({ secured, directory, passwords, passphrase, tokenUrl });
  const environment = (name: string, user: string): Environment => {
    const way = ways.find((one) => one.name === name) ?? assert.fail(`no way ${name}`);
    return way.environment(user);
  };
  const owned = stack.move();
  return {
    ...{ secured, directory, environment },
    mongoUrl: services.mongoUrl,
    admin: kafkaOf(services.brokers),
    kafka: (way, user) => ({ ...kafkaBy(environment(way, user)), ...SLOW_MACHINE }),
    kafkaAs(user, seconds) {
      const file = join(directory, `${user}-${seconds ?? ""}.token`);
      writeFileSync(file, tokenFor(user, seconds));
      const byToken = environment("oauthbearer-file", "relay");
      return { ...kafkaBy({ ...byToken, SPILLWAY_SASL_TOKEN_FILE: file }), ...SLOW_MACHINE };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
