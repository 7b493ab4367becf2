import type { Logger } from "pino";
import { isRetryable, messageOf, SpillwayError } from "../errors.ts";
import { Brokers } from "../kafka/cluster.ts";
import type { KafkaOptions } from "../kafka/options.ts";
import { partitionKey } from "../kafka/topic-partition.ts";
import { LAG_DEFAULTS, type LagOptions } from "../lag/options.ts";
import { watchLag } from "../lag/read-lag.ts";
import type { GroupLagReport } from "../lag/report.ts";
import { recordsDone } from "../sink/stats.ts";
import type { WriteSums } from "../sink/write-sums.ts";
import type { Facts, InstanceFacts, PartitionFacts, RecordSample } from "./facts.ts";
import { readSample } from "./read-sample.ts";
import { askStatus, type SinkStatus } from "./status.ts";

export interface AdviceOptions {
  readonly kafka: KafkaOptions;
  /** Addresses at which instances of one sink listen: `http://host:port`. At least one. */
  readonly from: readonly string[];
  /** For how long to look. */
  readonly seconds: number;
}

export interface AdviceContext {
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** A look at the lag of one group costs little; more of them tell more of what is in flight. */
const LOOK_MS = 1_000;
const LAG_READ = { bytes: 4 * 1024 * 1024, ms: 2_000 };

/**
 * Looks at a group for some seconds: asks its instances, reads its lag, and a few records. Nothing is changed.
 * @throws SpillwayError CONFIG_INVALID for addresses that are not of sinks, of one group; as `watchLag`
 */
export async function readFacts(options: AdviceOptions, { log, signal }: AdviceContext): Promise<Facts> {
  const { kafka, from, seconds } = options;
  const ask = () => Promise.all(from.map((one) => askStatus(one, signal)));
  const first = await ask();
  const { group, target, topics } = groupOf(first, from);
  const looks = [first];
  const endsAt = performance.now() + seconds * 1_000;
  const lagOptions: LagOptions = {
    ...{ ...LAG_DEFAULTS, kafka, groups: [group], topics, read: LAG_READ, intervalMs: LOOK_MS },
    deadlineMs: LAG_DEFAULTS.deadlineMs + seconds * 1_000,
  };
  let lag: GroupLagReport | undefined;
  const failed = (error: SpillwayError) => log.warn({ error: error.message }, "could not look, trying again");
  for await (const report of watchLag(lagOptions, { log, signal }, failed)) {
    lag = report.groups.find((one) => one.group === group);
    looks.push(await ask());
    if (performance.now() >= endsAt) break;
  }
  signal.throwIfAborted();
  const partitions = partitionsOf(lag);
  return {
    group,
    target,
    instances: from.map((one, i) =>
      instanceOf(
        one,
        looks.map((look) => look[i] as SinkStatus),
      ),
    ),
    members: lag?.members,
    partitions,
    sample: await sampleOf(topics, partitions, kafka, { log, signal }),
  };
}

function groupOf(statuses: readonly SinkStatus[], from: readonly string[]) {
  const [first] = statuses;
  if (first === undefined) throw new SpillwayError("CONFIG_INVALID", "Name an instance to ask");
  const other = statuses.findIndex(({ group }) => group !== first.group);
  if (other > 0) {
    throw new SpillwayError(
      "CONFIG_INVALID",
      `${from[other]} is of group ${statuses[other]?.group}, and ${from[0]} of ${first.group}: look at one group at a time`,
    );
  }
  return { group: first.group, target: first.target, topics: first.routes.map(({ topic }) => topic) };
}

/** What it did between the first look and the last one. */
function instanceOf(from: string, looks: readonly SinkStatus[]): InstanceFacts {
  const [first, last] = [looks[0], looks.at(-1)] as [SinkStatus, SinkStatus];
  if (first.stats.startedAt !== last.stats.startedAt) {
    throw new SpillwayError("CONFIG_INVALID", `${from} was started anew while it was looked at: look again`);
  }
  const writes = Object.fromEntries(
    (Object.keys(last.writes) as (keyof WriteSums)[]).map((name) => [name, last.writes[name] - first.writes[name]]),
  ) as unknown as WriteSums;
  return {
    from,
    settings: last.settings,
    seconds: (last.atMs - first.atMs) / 1_000,
    records: recordsDone(last.stats) - recordsDone(first.stats),
    writes,
    retries: last.stats.retries - first.stats.retries,
    inFlightRecords: looks.reduce((sum, { stats }) => sum + stats.recordsInFlight, 0) / looks.length,
    cpuSeconds: last.cpuSeconds - first.cpuSeconds,
    pingMs: last.pingMs,
  };
}

function partitionsOf(lag: GroupLagReport | undefined): readonly PartitionFacts[] {
  return (lag?.partitions ?? []).map(({ topic, partition, messages, arrival }) => ({
    ...{ topic, partition, waiting: messages.messages, arrivalPerSecond: arrival?.perSecond },
  }));
}

/** Advice without a sample is better than none. */
async function sampleOf(
  topics: readonly string[],
  partitions: readonly PartitionFacts[],
  kafka: KafkaOptions,
  { log, signal }: AdviceContext,
): Promise<RecordSample | undefined> {
  const rates = new Map(partitions.map((one) => [partitionKey(one), one.arrivalPerSecond ?? 0]));
  const isFlowing = [...rates.values()].some((rate) => rate > 0);
  await using brokers = new Brokers(kafka, log);
  await brokers.connect(signal, log);
  try {
    return await readSample(brokers, topics, isFlowing ? rates : new Map());
  } catch (error) {
    if (!(error instanceof SpillwayError)) throw error;
    const hint = isRetryable(error) ? "look again" : "without READ on the topic hot keys aren't seen";
    log.warn({ error: messageOf(error), hint }, "no sample of the records could be read");
    return undefined;
  }
}
