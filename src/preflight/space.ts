import { backlogOf, type Facts, replicationOf } from "./facts.ts";

/** How much the second copy takes, and what that is reckoned from. */
export interface Space {
  /** Offsets that are left to be relayed. */
  readonly backlogOffsets: number;
  /** Of them, one replica, as they lie in the source. */
  readonly backlogBytes: number;
  /** Bytes written for each byte read. */
  readonly growth: number;
  readonly isGrowthMeasured: boolean;
  /** What the targets get: one replica of each, and all replicas. */
  readonly targets: readonly { readonly topic: string; readonly bytes: number; readonly replicatedBytes: number }[];
  readonly basis: string;
}

/** Where nothing was measured: about the origin header of a small record. */
const GUESSED_GROWTH = 1.3;

/** Undefined where neither the brokers say how large the source's logs are, nor a sample. */
export function spaceNeeded(facts: Facts, asked: number): Space | undefined {
  const { positions, sample, targets, brokerSettings } = facts;
  if (positions.kind === "unknown") return undefined;
  const backlogOffsets = positions.value.reduce((sum, position) => sum + backlogOf(position), 0);
  const size = backlogSize(facts, backlogOffsets);
  if (size === undefined) return undefined;
  const seen = sample.kind === "known" && sample.value.weight > 0 ? sample.value : undefined;
  const growth = seen?.growth ?? GUESSED_GROWTH;
  return {
    backlogOffsets,
    backlogBytes: size.bytes,
    growth,
    isGrowthMeasured: seen?.growth !== undefined,
    targets: targets.map((target, i) => {
      const weight = seen?.targets.get(target.topic)?.weight;
      // Without a sample nobody knows what the rules take: all of it may go to the first.
      const share = seen === undefined ? Number(i === 0) : (weight ?? 0) / seen.weight;
      const bytes = size.bytes * share * growth;
      return {
        topic: target.topic,
        bytes,
        replicatedBytes: bytes * (replicationOf(target, brokerSettings, asked) ?? 1),
      };
    }),
    basis: `${size.basis}; ${seen?.growth === undefined ? "growth guessed" : "growth measured on the sample"}`,
  };
}

function backlogSize({ positions, logs, sample, source }: Facts, backlogOffsets: number) {
  const known = positions.kind === "known" ? positions.value : [];
  const logged = logs.kind === "known" ? logs.value.flatMap((directory) => directory.logs) : [];
  const sizes = new Map<number, number>();
  for (const { topic, partition, bytes } of logged) {
    if (topic === source.topic) sizes.set(partition, Math.max(bytes, sizes.get(partition) ?? 0));
  }
  if (known.every(({ partition }) => sizes.has(partition))) {
    const bytes = known.reduce((sum, position) => {
      const all = Number(position.latest - position.earliest);
      const share = all > 0 ? Math.min(1, backlogOf(position) / all) : 0;
      return sum + (sizes.get(position.partition) ?? 0) * share;
    }, 0);
    return { bytes, basis: "the size of the source's logs" };
  }
  if (sample.kind === "unknown" || sample.value.records === 0) return undefined;
  return {
    bytes: (sample.value.bytes / sample.value.records) * backlogOffsets,
    basis: "the size of the sample's records",
  };
}
