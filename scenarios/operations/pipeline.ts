import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import { Topics } from "../../bench/topics.ts";
import type { Reaper } from "../../services/reaper.ts";
import { LiveTraffic } from "../../src/demo/live-traffic.ts";
import { MongoStore } from "../../src/demo/mongo-store.ts";
import { until } from "../../src/demo/until.ts";
import { RecordProducer } from "../../src/kafka/record-producer.ts";
import { LIVE_KEYS, LIVE_PER_SECOND, VALUE_BYTES } from "../catalog.ts";
import { type Destination, mongoDestination } from "../ladder/destinations.ts";
import { Ledger, originId } from "../ledger.ts";
import { DATABASE } from "../names.ts";
import type { Places } from "../places.ts";
import { Worker } from "../worker.ts";
import { Backlog } from "./backlog.ts";
import { HOT_PARTITIONS, WIDE_PARTITIONS } from "./catalog.ts";

const LIVE_PLAN = { ratePerSecond: LIVE_PER_SECOND, keys: LIVE_KEYS, valueBytes: VALUE_BYTES, seed: 1 };
const LIVE_POLLS = { pollMs: 10, pollShare: 0.005 };
const SETTLE_MS = 60_000;
const FIRST_MS = 60_000;

/** What operations are given to run with. */
export interface OperationParts {
  readonly places: Places;
  readonly guard: Reaper;
  readonly log: Logger;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
  readonly seed: number;
}

/**
 * The whole way, each part as its users run it: live messages ─► hot topic ─ relay ─► wide topic ─ sinks ─► database,
 * and a ledger that knows nothing of relay and sinks. Disposing of it ends everything.
 */
export interface Pipeline extends AsyncDisposable {
  readonly hot: string;
  readonly wide: string;
  readonly collection: string;
  readonly relay: Worker;
  readonly sinks: readonly Worker[];
  /** One more. */
  addSink(): void;
  readonly ledger: Ledger;
  readonly live: LiveTraffic;
  readonly backlog: Backlog;
  readonly destination: Destination;
  readonly topics: Topics;
  /** For messages beside the live ones. */
  readonly outlet: RecordProducer;
}

/** @param sinkArgs of every sink, beside what goes where */
export async function openPipeline(
  { places, guard, log, signal }: OperationParts,
  sinkArgs: readonly string[],
  onFailure: (error: unknown) => void,
): Promise<Pipeline> {
  const run = randomUUID().slice(0, 8);
  const [hot, wide, collection] = [`hot-${run}`, `wide-${run}`, `operations-${run}`];
  const { brokers, mongoUrl, proxiedMongoUrl } = places;
  await using opening = new AsyncDisposableStack();
  const topics = opening.use(new Topics(brokers, log));
  await topics.create(hot, HOT_PARTITIONS);
  // Sinks want it to be there; the relay would make it a little later.
  await topics.create(wide, WIDE_PARTITIONS);
  const destination = opening.use(mongoDestination(mongoUrl));
  await destination.make(collection);

  const workers = opening.use(new AsyncDisposableStack());
  const worker = (name: string, args: readonly string[]): Worker => {
    const started = workers.use(new Worker({ name, args: [...args, "--brokers", brokers.join()], guard, onFailure }));
    started.start();
    return started;
  };
  const relayTo = ["--source", hot, "--target", wide, "--partitions", String(WIDE_PARTITIONS)];
  // Its place is kept for the same instance, which need not wait for its dead predecessor's session to end.
  const relay = worker("relay", ["relay", ...relayTo, "--instance-id", `relay-${run}`]);
  const sinks: Worker[] = [];
  const writes = ["--mongo-url", proxiedMongoUrl, "--database", DATABASE, "--collection", collection];
  const addSink = (): void =>
    void sinks.push(worker(`sink ${sinks.length + 1}`, ["sink", "--topic", wide, ...writes, ...sinkArgs]));
  addSink();

  const ledger = new Ledger();
  const written = (): Promise<number> => destination.count(collection);
  const backlog = opening.use(new Backlog({ acknowledged: () => ledger.count, written }));
  backlog.start().catch(onFailure);
  const outlet = opening.use(await RecordProducer.open({ kafka: topics.kafka, log, signal }));
  // A connection of its own: live messages don't queue behind the others in a producer.
  const liveOutlet = opening.use(await RecordProducer.open({ kafka: topics.kafka, log, signal }));
  const store = opening.use(new MongoStore(mongoUrl, collection, DATABASE));
  const live = opening.use(
    new LiveTraffic({
      ...{ topic: hot, outlet: liveOutlet, plan: LIVE_PLAN, signal, onFailure, settleTimeoutMs: SETTLE_MS },
      watch: { lookup: (id) => store.has(id), ...LIVE_POLLS },
      onAcknowledged: (key, sequence, place) => {
        ledger.acknowledged(key, sequence, place);
        return originId(key, sequence, place);
      },
    }),
  );
  await until(() => live.watch.delivered > 0, { timeoutMs: FIRST_MS, what: "a first message came through", signal });
  const stack = opening.move();
  return {
    ...{ hot, wide, collection, relay, sinks, addSink, ledger, live, backlog, destination, topics, outlet },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
