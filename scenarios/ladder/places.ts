import type { Logger } from "pino";
import { DYNAMODB_NAME } from "../../services/dynamodb.ts";
import type { Reaper } from "../../services/reaper.ts";
import { startServices } from "../../services/services.ts";
import type { LatencyOptions } from "../../services/toxiproxy/client.ts";
import { hostOf, throughProxy } from "../places.ts";
import { type Destination, dynamoDestination, mongoDestination } from "./destinations.ts";

type Target = "mongodb" | "dynamodb";

/** Where Kafka and the databases are, and ways to them that take longer. */
export interface LadderPlaces extends AsyncDisposable {
  readonly brokers: readonly string[];
  /** Straight to the database, for whoever looks on. */
  readonly mongoUrl: string;
  /** What they are, for tables of figures. */
  readonly databases: Readonly<Record<Target, string>>;
  destination(target: Target): Destination;
  /** The URL of a database as far away as that. */
  slow(target: Target, latency: Omit<LatencyOptions, "direction">): Promise<string>;
}

/** What ladders are given to run with. */
export interface LadderParts {
  readonly places: LadderPlaces;
  readonly guard: Reaper;
  readonly log: Logger;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** This machine's own services, less those given by SPILLWAY_BROKERS and SPILLWAY_MONGO_URL. */
export async function openLadderPlaces(
  targets: ReadonlySet<Target>,
  log: (line: string) => void,
  signal: AbortSignal,
): Promise<LadderPlaces> {
  const wanted = { mongo: targets.has("mongodb"), dynamodb: targets.has("dynamodb") };
  const services = await startServices({ kafka: true, toxiproxy: true, ...wanted, log, signal });
  const { toxiproxy, brokers } = services;
  let proxies = 0;
  return {
    brokers,
    mongoUrl: wanted.mongo ? services.mongoUrl : "",
    databases: { mongodb: wanted.mongo ? services.database : "", dynamodb: DYNAMODB_NAME },
    destination: (target) =>
      target === "mongodb" ? mongoDestination(services.mongoUrl) : dynamoDestination(services.dynamodbUrl),
    async slow(target, latency) {
      const upstream = target === "mongodb" ? hostOf(services.mongoUrl) : new URL(services.dynamodbUrl).host;
      const proxy = await toxiproxy.createProxy({ name: `ladder-${++proxies}`, upstream });
      // All of it on the way in, as in the other scenarios.
      await proxy.addLatency({ ...latency, direction: "upstream" });
      return target === "mongodb" ? throughProxy(services.mongoUrl, proxy.address) : `http://${proxy.address}`;
    },
    [Symbol.asyncDispose]: () => services.stop(),
  };
}
