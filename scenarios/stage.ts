import { MongoClient } from "mongodb";
import type { Logger } from "pino";
import type { Reaper } from "../services/reaper.ts";
import { type Child, describe } from "../src/demo/child.ts";
import { LiveTraffic } from "../src/demo/live-traffic.ts";
import { MongoStore } from "../src/demo/mongo-store.ts";
import { SpillwayError } from "../src/errors.ts";
import { ensureTopic } from "../src/kafka/admin.ts";
import { Brokers } from "../src/kafka/cluster.ts";
import { committedOffsets } from "../src/kafka/group-offsets.ts";
import { KAFKA_DEFAULTS, type KafkaOptions } from "../src/kafka/options.ts";
import { RecordProducer } from "../src/kafka/record-producer.ts";
import { retry } from "../src/runtime/backoff.ts";
import { HOT_PARTITIONS, LIVE_KEYS, LIVE_PER_SECOND, type Scenario, VALUE_BYTES, WRITE_MS } from "./catalog.ts";
import { documentId, Ledger } from "./ledger.ts";
import { DATABASE, type Names, namesFor, type Reading } from "./names.ts";
import type { Places } from "./places.ts";
import type { Relays } from "./relays.ts";
import { Service, type WriteTimes } from "./service/processes.ts";

const LIVE_PLAN = { ratePerSecond: LIVE_PER_SECOND, keys: LIVE_KEYS, valueBytes: VALUE_BYTES, seed: 1 };
/** A latency is exact within 10 ms, or within half a percent of itself. */
const LIVE_POLLS = { pollMs: 10, pollShare: 0.005 };
const LIVE_SETTLE_MS = 60_000;
const STOP_GRACE_MS = 40_000;
const OFFSETS_DEADLINE_MS = 30_000;
const BACKOFF = { baseMs: 20, maxMs: 500 };

/** What scenarios are given to run with. */
export interface Parts {
  readonly places: Places;
  readonly relays: Relays;
  readonly guard: Reaper;
  readonly log: Logger;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Everything of one scenario, started and connected, live messages under way; disposing of it stops it all. */
export interface Stage extends AsyncDisposable {
  readonly names: Names;
  readonly ledger: Ledger;
  readonly live: LiveTraffic;
  readonly store: MongoStore;
  readonly floodOutlet: RecordProducer;
  /** Documents that the service has written, of all kinds. */
  readonly written: () => number;
  /** Messages that the service was given again. */
  readonly repeated: () => number;
  /** Resolves when relay and service have ended, with all they did committed. @throws SpillwayError if one didn't */
  stop(): Promise<WriteTimes>;
  /** By partition of the hot topic, how far the service has committed. Only where it reads that. */
  committed(): Promise<ReadonlyMap<number, bigint>>;
}

export async function openStage(
  scenario: Scenario,
  { places, relays, guard, log, signal }: Parts,
  onFailure: (error: unknown) => void,
): Promise<Stage> {
  const names = namesFor(scenario);
  const { brokers: addresses, mongoUrl, proxiedMongoUrl } = places;
  const kafka: KafkaOptions = { ...KAFKA_DEFAULTS, clientId: "spillway-scenarios", brokers: addresses };
  const env = process.env;
  const readings = [names.live, ...(names.backfill === undefined ? [] : [names.backfill])];
  await using opening = new AsyncDisposableStack();

  const brokers = opening.use(new Brokers(kafka, log));
  await brokers.connect(signal, log);
  const topics = new Map([[names.hot, HOT_PARTITIONS], ...readings.map((r) => [r.topic, r.partitions] as const)]);
  for (const [topic, partitions] of topics) await ensureTopic(brokers, { topic, partitions }, signal);
  await createCollection(mongoUrl, names.collection);

  const serve = ({ topic, partitions, group }: Reading): Service =>
    new Service({
      isInBackground: topic === names.backfill?.topic,
      ...{ topic, partitions, group, brokers: addresses, database: DATABASE, collection: names.collection },
      ...{ mongoUrl: proxiedMongoUrl, guard, env },
    });
  const ask = () => committedOffsets(brokers, names.live.group, { topic: names.hot, partitions: HOT_PARTITIONS });
  const committed = () => retry(ask, { signal, backoff: BACKOFF, deadlineMs: OFFSETS_DEADLINE_MS });
  // A cluster's first group waits for its coordinator, which KafkaJS takes for a crash: so it is asked for beforehand.
  await committed();
  const services: Service[] = [];
  // One group after the other: their joining takes all of a small machine.
  for (const reading of readings) {
    const service = opening.use(serve(reading));
    service.failed.catch(onFailure);
    services.push(service);
    await service.joined(signal);
  }
  const relay = await relays.start(scenario.relay, names, { brokers: addresses, env, signal });
  relay?.failed.catch(onFailure);
  opening.defer(async () => void (await relay?.stop(STOP_GRACE_MS)));

  const ledger = new Ledger();
  const store = opening.use(new MongoStore(mongoUrl, names.collection, DATABASE));
  const floodOutlet = opening.use(await RecordProducer.open({ kafka, log, signal }));
  // A connection of its own: other services' messages don't queue behind the flood in its producer either.
  const outlet = opening.use(await RecordProducer.open({ kafka, log, signal }));
  const lookup = (id: string): Promise<boolean> => store.has(id);
  const live = opening.use(
    new LiveTraffic({
      ...{ topic: names.hot, outlet, plan: LIVE_PLAN, signal, onFailure },
      watch: { lookup, ...LIVE_POLLS, soonestMs: WRITE_MS },
      settleTimeoutMs: LIVE_SETTLE_MS,
      onAcknowledged: (key, sequence, place) => {
        ledger.acknowledged(key, sequence, place);
        return documentId(key, sequence);
      },
    }),
  );

  const stack = opening.move();
  const sum = (pick: (service: Service) => number): number => services.reduce((total, one) => total + pick(one), 0);
  return {
    ...{ names, ledger, live, store, floodOutlet },
    written: () => sum(({ written }) => written),
    repeated: () => sum(({ duplicates }) => duplicates),
    async stop() {
      const [times] = await Promise.all([Promise.all(services.map((one) => one.stop())), stopInOrder(relay)]);
      return slowest(times);
    },
    committed,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Beforehand, so that not all consumers at once find none. */
async function createCollection(mongoUrl: string, collection: string): Promise<void> {
  await using client = new MongoClient(mongoUrl);
  await client.db(DATABASE).createCollection(collection);
}

async function stopInOrder(relay: Child | undefined): Promise<void> {
  const end = await relay?.stop(STOP_GRACE_MS);
  // A Java machine that was told to end says so: 128 + SIGTERM.
  if (relay === undefined || end?.code === 0 || end?.code === 143) return;
  const how = end === undefined ? "nothing" : describe(end);
  throw new SpillwayError(
    "DELIVERY_FAILED",
    `The ${relay.name} did not stop in order but with ${how}. ${relay.lastLines()}`,
  );
}

function slowest(times: readonly WriteTimes[]): WriteTimes {
  const worst = (pick: (one: WriteTimes) => number): number => Math.max(...times.map(pick));
  return {
    writeP50Ms: worst(({ writeP50Ms }) => writeP50Ms),
    writeP99Ms: worst(({ writeP99Ms }) => writeP99Ms),
    loopP99Ms: worst(({ loopP99Ms }) => loopP99Ms),
  };
}
