import { jarVersion } from "../bench/versions.ts";
import { startServices } from "../services/services.ts";
import type { FaultyProxy } from "../services/toxiproxy/client.ts";
import { startComposed } from "./compose.ts";

/** Where Kafka and the database are, and a way to the database that can be made longer, or cut. */
export interface Places extends AsyncDisposable {
  readonly brokers: readonly string[];
  /** Straight to the database, for whoever looks on. */
  readonly mongoUrl: string;
  /** Through toxiproxy, for whoever writes. */
  readonly proxiedMongoUrl: string;
  readonly proxy: FaultyProxy;
  /** What the database and the brokers are, for tables of figures. */
  readonly database: string;
  readonly kafka: string;
}

interface PlaceOptions {
  readonly compose: boolean;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/** This machine's own services, less those given by SPILLWAY_BROKERS and SPILLWAY_MONGO_URL; or the compose file's. */
export async function openPlaces({ compose, log, signal }: PlaceOptions): Promise<Places> {
  if (compose) return await composed(log, signal);
  const services = await startServices({ kafka: true, mongo: true, toxiproxy: true, log, signal });
  try {
    const { brokers, mongoUrl, database } = services;
    const proxy = await services.toxiproxy.createProxy({ name: "scenarios", upstream: hostOf(mongoUrl) });
    const isOurs = !process.env["SPILLWAY_BROKERS"];
    const kafka = isOurs ? jarVersion(await services.kafka.jars(), "kafka-server") : "given by SPILLWAY_BROKERS";
    return {
      ...{ brokers, mongoUrl, database, kafka, proxy },
      proxiedMongoUrl: throughProxy(mongoUrl, proxy.address),
      [Symbol.asyncDispose]: () => services.stop(),
    };
  } catch (error) {
    await services.stop();
    throw error;
  }
}

async function composed(log: (line: string) => void, signal: AbortSignal): Promise<Places> {
  const { brokers, mongoUrl, proxy, stop } = await startComposed({ print: log, signal });
  return {
    ...{ brokers, mongoUrl, database: "MongoDB 8.0 in Docker", kafka: "4.3.0 in Docker", proxy },
    proxiedMongoUrl: throughProxy(mongoUrl, proxy.address),
    [Symbol.asyncDispose]: stop,
  };
}

/**
 * All of the delay is put on the way to the database: a document is there to be seen when its acknowledgement leaves,
 * which then takes no time. So whoever sees the document knows when the write was done.
 * Returns the name by which the proxy knows the delay, to remove it.
 */
export async function delayWrites(proxy: FaultyProxy, milliseconds: number): Promise<string> {
  return await proxy.addLatency({ milliseconds, direction: "upstream" });
}

/** The first host of a URL. */
export function hostOf(mongoUrl: string): string {
  const [, host = ""] = /^mongodb:\/\/(?:[^@/]*@)?([^,/?]+)/.exec(mongoUrl) ?? [];
  if (host === "")
    throw new TypeError("the database's URL must be a mongodb:// one with a host, to be put behind a proxy");
  return host.includes(":") ? host : `${host}:27017`;
}

/** The same URL by way of the proxy, and no other way that the server may name. */
export function throughProxy(mongoUrl: string, address: string): string {
  const url = mongoUrl.replace(/^(mongodb:\/\/(?:[^@/]*@)?)[^/?]+\/?/, `$1${address}/`);
  return `${url}${url.includes("?") ? "&" : "?"}directConnection=true`;
}
