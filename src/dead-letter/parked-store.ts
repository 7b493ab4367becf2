import type { Logger } from "pino";
import { SpillwayError } from "../errors.ts";
import { Brokers } from "../kafka/cluster.ts";
import {
  CONTROL_TOPIC,
  type ControlEntry,
  type ControlOptions,
  followControlEntries,
  readControlEntries,
} from "../kafka/control-topic.ts";
import type { KafkaOptions } from "../kafka/options.ts";
import { retry } from "../runtime/backoff.ts";
import type { DeadLetterProducer } from "./dead-letter.ts";
import { LIMITS } from "./limits.ts";
import { isOfGroup, parkedAmong } from "./parked-key.ts";

/**
 * Makes sure that a sink which doesn't park keys leaves none behind: it would write later records of a key before those
 * that wait among the dead letters.
 * @throws SpillwayError CONFIG_INVALID; as `readControl`
 */
export async function assertNoneParked(
  group: string,
  topics: readonly string[],
  options: ControlOptions,
): Promise<void> {
  const { kafka, log, signal } = options;
  await using brokers = new Brokers(kafka, log);
  await brokers.connect(signal, log);
  const find = () => retry(() => brokers.topics([CONTROL_TOPIC]), { signal, ...LIMITS });
  if ((await find().catch(noneIfForbidden)).length === 0) return;
  const entries = await readControlEntries(isOfGroup(group), options).catch(noneIfForbidden);
  const parked = parkedAmong(entries).filter(({ name }) => topics.includes(name.topic));
  const [first] = parked;
  if (first === undefined) return;
  const { topic, partition } = first.name;
  throw new SpillwayError(
    "CONFIG_INVALID",
    `${parked.length} keys are parked, whose later records must wait for them`,
    {
      context: {
        ...{ topic, partition, group },
        hint: "Run the sink with --on-data-error park-key, and redrive them: spillway dlq redrive --group",
      },
    },
  );
}

/** Whoever has never parked a key need not have the topic, nor permission to see or read it. */
function noneIfForbidden(error: unknown): [] {
  if (error instanceof SpillwayError && error.code === "NOT_AUTHORIZED") return [];
  throw error;
}

/** Where the state of parked keys is kept. */
export interface ParkedStore {
  /**
   * Calls `take` with the latest of each entry of a group there is, and then with what is written later, until it is
   * disposed of. Resolves once what there is is taken.
   * @throws SpillwayError as `readControl`
   */
  follow(group: string, take: (entry: ControlEntry) => void, signal: AbortSignal): Promise<AsyncDisposable>;
  /** Resolves when it is acknowledged; without a value the entry is taken away. @throws SpillwayError as the producer */
  write(key: string, value: string | undefined): Promise<void>;
}

/** Parked keys in the control topic, which is made if it isn't there. */
export function controlStore(
  { kafka, log }: { readonly kafka: KafkaOptions; readonly log: Logger },
  producer: DeadLetterProducer,
): ParkedStore {
  return {
    follow(group, take, signal) {
      const options: ControlOptions = { kafka, log, signal };
      return followControlEntries(isOfGroup(group), take, options);
    },
    async write(key, value) {
      const record = { key: Buffer.from(key), value: value === undefined ? null : Buffer.from(value) };
      await producer.send(CONTROL_TOPIC, { ...record, timestamp: Date.now() });
    },
  };
}
