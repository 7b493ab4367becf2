import { SpillwayError } from "../errors.ts";
import { ensureTopic } from "../kafka/admin.ts";
import { Brokers } from "../kafka/cluster.ts";
import { committedOffsets } from "../kafka/group-offsets.ts";
import { KAFKA_DEFAULTS, type KafkaOptions } from "../kafka/options.ts";
import { RecordProducer } from "../kafka/record-producer.ts";
import { retry } from "../runtime/backoff.ts";
import { documentId } from "./acknowledged.ts";
import { Child, describe } from "./child.ts";
import type { Flood } from "./flood.ts";
import { Ledger } from "./ledger.ts";
import { LIVE_PLAN, LiveTraffic, liveKeys } from "./live-traffic.ts";
import { MongoStore } from "./mongo-store.ts";
import {
  commandEnvironment,
  DATABASE,
  type DemoNames,
  demoNames,
  HOT_PARTITIONS,
  spillwayCommands,
  WIDE_PARTITIONS,
} from "./names.ts";
import type { DemoParts, DemoServices } from "./parts.ts";
import { RelayMeter } from "./relay-meter.ts";

const LIVE_POLL_MS = 10;
const LIVE_SETTLE_MS = 30_000;
const SAMPLED_KEYS = 50;
/** A look-up costs FerretDB most of a millisecond: more would take its time from what is watched. */
const ORDER_LOOKUPS_PER_SECOND = 120;
/** Enough to keep the brokers busy; each of the records in it also has a promise in memory. */
const FLOOD_IN_FLIGHT_BYTES = 4 * 1024 * 1024;
/** The leaders of a new topic take a moment to know that they are. */
const OFFSETS_DEADLINE_MS = 30_000;
const BACKOFF = { baseMs: 20, maxMs: 500 };
/** Longer than the commands give themselves to flush, commit and leave. */
const STOP_GRACE_MS = 40_000;
/** Once the run has failed or was interrupted there is nothing left to save. */
const ABANDON_GRACE_MS = 5_000;

/** Everything that plays a part, started and connected; disposing of it stops it all but the services. */
export interface Stage extends AsyncDisposable {
  readonly names: DemoNames;
  readonly ledger: Ledger;
  readonly live: LiveTraffic;
  readonly meter: RelayMeter;
  readonly floodOutlet: RecordProducer;
  readonly sampledKeys: number;
  isLiveKey(key: string): boolean;
  /** @throws SpillwayError if one didn't flush and end in order */
  stopCommands(): Promise<void>;
}

export interface StageOptions {
  readonly services: DemoServices;
  readonly flood: Flood;
  readonly parts: DemoParts;
  readonly signal: AbortSignal;
  readonly onFailure: (error: unknown) => void;
}

export async function openStage({ services, flood, parts, signal, onFailure }: StageOptions): Promise<Stage> {
  const { log } = parts;
  const names = demoNames();
  const kafka: KafkaOptions = { ...KAFKA_DEFAULTS, clientId: "spillway-demo", brokers: services.brokers };
  await using opening = new AsyncDisposableStack();

  const brokers = opening.use(new Brokers(kafka, log));
  await brokers.connect(signal, log);
  await ensureTopic(brokers, { topic: names.hot, partitions: HOT_PARTITIONS }, signal);
  await ensureTopic(brokers, { topic: names.wide, partitions: WIDE_PARTITIONS }, signal);

  const commands = startCommands(names, services, parts);
  for (const command of commands) command.failed.catch(onFailure);
  const graceMs = (): number => (signal.aborted ? ABANDON_GRACE_MS : STOP_GRACE_MS);
  opening.defer(async () => {
    await Promise.all(commands.map((command) => command.stop(graceMs())));
  });

  const store = opening.use(new MongoStore(services.mongoUrl, names.collection, DATABASE));
  const live = new Set(liveKeys());
  const sampled = new Set([...live, ...flood.keysToWatch(SAMPLED_KEYS - live.size)]);
  const ledger = new Ledger({ store, sampledKeys: sampled, orderLookupsPerSecond: ORDER_LOOKUPS_PER_SECOND });
  ledger.start().catch(onFailure);
  opening.defer(() => ledger.stop().catch(() => undefined));

  // Of the wide topic offsets say less: transactions leave markers in it.
  const hot = { topic: names.hot, partitions: HOT_PARTITIONS };
  const count = async (): Promise<number> => sum((await committedOffsets(brokers, names.relayGroup, hot)).values());
  const meter = new RelayMeter(() => retry(count, { signal, backoff: BACKOFF, deadlineMs: OFFSETS_DEADLINE_MS }));
  const metering = new AbortController();
  const measured = meter.run(AbortSignal.any([signal, metering.signal])).catch(onFailure);
  opening.defer(async () => {
    metering.abort();
    await measured;
  });

  const writer = { inFlightBytes: FLOOD_IN_FLIGHT_BYTES };
  const floodOutlet = opening.use(await RecordProducer.open({ kafka, log, signal, writer }));
  // A connection of its own: other services' messages don't queue behind the flood in its producer either.
  const liveOutlet = opening.use(await RecordProducer.open({ kafka, log, signal }));
  const lookup = (id: string): Promise<boolean> => store.has(id);
  const traffic = opening.use(
    new LiveTraffic({
      ...{ topic: names.hot, outlet: liveOutlet, plan: LIVE_PLAN, signal, onFailure },
      watch: { lookup, pollMs: LIVE_POLL_MS },
      settleTimeoutMs: LIVE_SETTLE_MS,
      onAcknowledged: (key, sequence, place) => {
        ledger.acknowledged(key, sequence, place);
        return documentId(place.topicId, place.partition, place.offset);
      },
    }),
  );

  const stack = opening.move();
  return {
    names,
    ledger,
    live: traffic,
    meter,
    floodOutlet,
    sampledKeys: sampled.size,
    isLiveKey: (key) => live.has(key),
    stopCommands: () => stopInOrder(commands),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function startCommands(names: DemoNames, services: DemoServices, { spillway, guard }: DemoParts): Child[] {
  const env = commandEnvironment(services);
  return spillwayCommands(names, services).map(
    ({ name, args }) => new Child({ name, command: [...spillway, ...args], env, guard }),
  );
}

async function stopInOrder(commands: readonly Child[]): Promise<void> {
  const ends = await Promise.all(
    commands.map(async (command) => ({ command, end: await command.stop(STOP_GRACE_MS) })),
  );
  for (const { command, end } of ends) {
    if (end.code === 0) continue;
    const { name } = command;
    throw new SpillwayError(
      "DELIVERY_FAILED",
      `The ${name} did not stop in order but with ${describe(end)}. ${command.lastLines()}`,
    );
  }
}

function sum(counts: Iterable<bigint>): number {
  let total = 0n;
  for (const count of counts) total += count;
  return Number(total);
}
