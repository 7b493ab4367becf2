import { randomUUID } from "node:crypto";
import { after } from "node:test";
import type { Java } from "../../services/kafka/java.ts";
import { type Services, startServices } from "../../services/services.ts";
import { createToxiproxyClient, type ToxiproxyClient } from "../../services/toxiproxy/client.ts";

export interface TestServices {
  readonly brokers: readonly string[];
  readonly mongoUrl: string;
  /** What the database is. */
  readonly database: string;
  readonly toxiproxy: ToxiproxyClient;
  readonly java: Java;
}

let started: Promise<Services> | undefined;

// Here and not where they are started: inside a test the hook would belong to that test.
after(async () => {
  if (started === undefined) return;
  const services = await started.catch(() => undefined);
  await services?.stop();
});

/**
 * Services that all test files of a run share, by the addresses that the runner sets in the environment; for a file
 * that is run alone, its own. A test that kills or freezes services starts its own by startServices({ own: true }).
 */
export async function testServices(): Promise<TestServices> {
  const { SPILLWAY_TEST_TOXIPROXY: toxiproxyUrl } = process.env;
  started ??= startServices({ kafka: true, mongo: true, toxiproxy: !toxiproxyUrl });
  const services = await started;
  return {
    brokers: services.brokers,
    mongoUrl: services.mongoUrl,
    database: services.database,
    toxiproxy: toxiproxyUrl ? createToxiproxyClient(toxiproxyUrl) : services.toxiproxy,
    java: services.kafka,
  };
}

/** For topics, groups, databases and proxies: services are shared, so names must not be. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${randomUUID().slice(0, 8)}`;
}
