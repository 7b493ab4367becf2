import { MongoClient } from "mongodb";
import type { FaultyProxy, ToxiproxyClient } from "../../services/toxiproxy/client.ts";
import type { Topics } from "../topics.ts";

/** How many documents there were, and when. */
export interface Count {
  readonly documents: number;
  /** By `performance.now()`: the middle of the count. */
  readonly atMs: number;
  /** How long it took. */
  readonly tookMs: number;
}

/** What a run writes to, looked at from outside. New for each run, and gone after it. */
export interface Place {
  readonly database: string;
  readonly collection: string;
  count(): Promise<Count>;
  drop(): Promise<void>;
}

/** One proxy in front of a server for each latency; 0 goes through one as well. */
export class Proxies {
  readonly #toxiproxy: ToxiproxyClient;
  readonly #upstream: string;
  readonly #name: string;
  readonly #byLatency = new Map<number, FaultyProxy>();

  /** @param upstream host:port */
  constructor(toxiproxy: ToxiproxyClient, name: string, upstream: string) {
    this.#toxiproxy = toxiproxy;
    this.#name = name;
    this.#upstream = upstream;
  }

  /** host:port by which the server seems that far away. */
  async address(latencyMs: number): Promise<string> {
    let proxy = this.#byLatency.get(latencyMs);
    if (proxy === undefined) {
      proxy = await this.#toxiproxy.createProxy({ name: `${this.#name}-${latencyMs}`, upstream: this.#upstream });
      if (latencyMs > 0) await proxy.addLatency({ milliseconds: latencyMs, direction: "upstream" });
      this.#byLatency.set(latencyMs, proxy);
    }
    return proxy.address;
  }
}

/** A MongoDB, or what speaks its protocol, past the proxies. */
export class MongoStore implements AsyncDisposable {
  readonly #client: MongoClient;

  constructor(url: string) {
    this.#client = new MongoClient(url, { serverSelectionTimeoutMS: 30_000, socketTimeoutMS: 120_000 });
  }

  /** A database of its own: FerretDB gives the disk back when that is dropped, and not when a collection is. */
  async open(name: string): Promise<Place> {
    const database = this.#client.db(name);
    const collection = "documents";
    // Beforehand, so that nobody's first write makes it.
    await database.createCollection(collection);
    return {
      ...{ database: name, collection },
      count: () => timed(() => this.#documents(name, collection)),
      drop: async () => void (await database.dropDatabase()),
    };
  }

  /** As the statistics have it: FerretDB adds up the pages of SQLite's table, where `count` would read each document. */
  async #documents(database: string, collection: string): Promise<number> {
    const { count = 0 } = await this.#client.db(database).command({ collStats: collection });
    return Number(count);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
  }
}

/**
 * Of model latest, documents say nothing, as they replace each other; and DynamoDB counts its own every six hours. So
 * records count that the group has committed, which all sinks here do behind their writes, once a second.
 */
export function committedRecords(
  topics: Topics,
  job: { readonly group: string; readonly topic: string; readonly partitions: number },
): Promise<Count> {
  return timed(() => topics.committed(job.group, job.topic, job.partitions));
}

async function timed(documents: () => Promise<number>): Promise<Count> {
  const startedAt = performance.now();
  const count = await documents();
  const tookMs = performance.now() - startedAt;
  return { documents: count, atMs: startedAt + tookMs / 2, tookMs };
}
