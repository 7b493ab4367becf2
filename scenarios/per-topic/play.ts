import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Topics } from "../../bench/topics.ts";
import { LiveTraffic } from "../../src/demo/live-traffic.ts";
import { MongoStore } from "../../src/demo/mongo-store.ts";
import { until } from "../../src/demo/until.ts";
import { RecordProducer } from "../../src/kafka/record-producer.ts";
import { VALUE_BYTES } from "../catalog.ts";
import type { LadderParts } from "../ladder/places.ts";
import { Ledger, originId } from "../ledger.ts";
import { DATABASE } from "../names.ts";
import { Worker } from "../worker.ts";
import type { PerTopicFigures, TopicFigures } from "./figures.ts";

const TOPICS = ["btc", "eth", "sol"] as const;
const DIES = "btc";
const PLAN = { ratePerSecond: 10, keys: 4, valueBytes: VALUE_BYTES, seed: 1 };
const LATENCY_MS = 125;
const JITTER_MS = 75;
const DELIVERY_MS = 60_000;

export interface PerTopicPace {
  readonly beforeMs: number;
  readonly deadMs: number;
}

export const FULL_PER_TOPIC: PerTopicPace = { beforeMs: 30_000, deadMs: 30_000 };
export const SHORT_PER_TOPIC: PerTopicPace = { beforeMs: 1_000, deadMs: 2_000 };

/** A topic on its way to the database. */
interface Line {
  readonly topic: string;
  /** Of the topic and of its collection. */
  readonly name: string;
  readonly sink: Worker;
  readonly ledger: Ledger;
  readonly live: LiveTraffic;
  readonly dies: boolean;
}

/** Three topics, each with a sink of its own, a process each. One is killed, and started again later. */
export async function playPerTopic(pace: PerTopicPace, parts: LadderParts): Promise<PerTopicFigures> {
  const { places, say, log } = parts;
  say(`\nconsumer-per-topic: ${TOPICS.join(", ")} with a sink each; ${DIES}'s dies.`);
  const failure = new AbortController();
  const signal = AbortSignal.any([parts.signal, failure.signal]);
  const onFailure = (error: unknown): void => failure.abort(error);
  await using stack = new AsyncDisposableStack();
  const topics = stack.use(new Topics(places.brokers, log));
  const destination = stack.use(places.destination("mongodb"));
  const url = await places.slow("mongodb", { milliseconds: LATENCY_MS, jitterMilliseconds: JITTER_MS });
  const run = randomUUID().slice(0, 8);
  const lines: Line[] = [];
  for (const topic of TOPICS) {
    const name = `${topic}-${run}`;
    await topics.create(name, 1);
    await destination.make(name);
    const outlet = stack.use(await RecordProducer.open({ kafka: topics.kafka, log, signal }));
    const store = stack.use(new MongoStore(places.mongoUrl, name, DATABASE));
    const to = ["--mongo-url", url, "--database", DATABASE, "--group", `sink-of-${name}`];
    // Its place is kept for the same instance, which need not wait for the dead one's session to end.
    const args = ["sink", "--brokers", places.brokers.join(), "--topic", name, ...to, "--instance-id", name];
    const sink = stack.use(new Worker({ name: `sink of ${topic}`, args, guard: parts.guard, onFailure }));
    sink.start();
    const ledger = new Ledger();
    const live = stack.use(
      new LiveTraffic({
        ...{ topic: name, outlet, plan: PLAN, signal, onFailure, settleTimeoutMs: DELIVERY_MS },
        watch: { lookup: (id) => store.has(id), pollMs: 10, pollShare: 0.005 },
        onAcknowledged: (key, sequence, place) => {
          ledger.acknowledged(key, sequence, place);
          return originId(key, sequence, place);
        },
      }),
    );
    lines.push({ topic, name, sink, ledger, live, dies: topic === DIES });
  }

  const delivered = (line: Line, before: number): Promise<void> =>
    until(() => line.live.watch.isDelivered(before), {
      timeoutMs: DELIVERY_MS,
      what: `the messages of ${line.topic} came through`,
      signal,
    });
  await sleep(500, undefined, { signal });
  for (const line of lines) await delivered(line, performance.now());
  const from = performance.now();
  await sleep(pace.beforeMs, undefined, { signal });
  const killedAt = performance.now();
  for (const line of lines) await delivered(line, killedAt);
  const before = lines.map(({ live }) => live.watch.summary(from, killedAt));

  const dying = lines.find(({ dies }) => dies);
  if (dying === undefined) throw new Error(`${DIES} has no sink`);
  say(`  ${DIES}'s sink is killed`);
  await dying.sink.kill();
  const deadFrom = performance.now();
  await sleep(pace.deadMs, undefined, { signal });
  const deadTo = performance.now();
  const meanwhile = lines.map(({ live }) => live.watch.summary(deadFrom, deadTo));
  dying.sink.start();
  await delivered(dying, deadTo);
  const caughtUpSeconds = (performance.now() - deadTo) / 1_000;

  const figures: TopicFigures[] = [];
  for (const [index, line] of lines.entries()) {
    await line.live.stopSending();
    await delivered(line, performance.now());
    await line.live.watch.stop();
    await line.sink.stop();
    const verdict = await line.ledger.verdict(destination.documents(line.name), () => true, originId);
    await destination.drop(line.name);
    const [ofBefore, ofMeanwhile] = [before[index], meanwhile[index]];
    if (ofBefore === undefined || ofMeanwhile === undefined) throw new RangeError("a topic without figures");
    figures.push({ topic: line.topic, dies: line.dies, before: ofBefore, meanwhile: ofMeanwhile, verdict });
  }
  return {
    database: places.databases.mongodb,
    deadSeconds: Math.round((deadTo - deadFrom) / 100) / 10,
    caughtUpSeconds: Math.round(caughtUpSeconds * 10) / 10,
    topics: figures,
  };
}
