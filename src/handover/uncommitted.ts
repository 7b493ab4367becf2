import { partitionsOf, type TopicMetadata } from "../kafka/cluster.ts";
import type { KafkaOptions } from "../kafka/options.ts";
import { beginsOf } from "../kafka/range.ts";
import { partitionKey } from "../kafka/topic-partition.ts";
import type { Hands } from "./checks.ts";
import { readStretches } from "./readers.ts";

/** So many offsets at the end of each partition are looked at. */
const TAIL = 500n;

/**
 * How many records a relay has written beyond what it has committed; at least so many, since only the ends of its targets
 * are looked at. Exactly once there is none. At least once there are some if the relay was killed, and whoever goes on
 * where it had committed handles them again.
 */
export async function writtenBeyond(
  hot: TopicMetadata,
  targets: readonly TopicMetadata[],
  state: { readonly ends: ReadonlyMap<string, number>; readonly relayed: ReadonlyMap<number, bigint> },
  kafka: KafkaOptions,
  hands: Hands,
): Promise<bigint> {
  const begins = await beginsOf(hands.brokers, targets.flatMap(partitionsOf), hands.signal);
  const tails = begins.map((begin) => {
    const end = BigInt(state.ends.get(partitionKey(begin)) ?? 0);
    return { ...begin, offset: end - TAIL > begin.offset ? end - TAIL : begin.offset, end, group: undefined };
  });
  const reached = new Map(state.relayed);
  await readStretches(tails, kafka, hands, ({ origin }) => {
    if (origin === undefined || origin.topicId !== hot.topicId) return;
    const before = reached.get(origin.partition);
    if (before !== undefined && origin.offset >= before) reached.set(origin.partition, origin.offset + 1n);
  });
  return reached.entries().reduce((sum, [partition, to]) => sum + to - (state.relayed.get(partition) ?? to), 0n);
}
