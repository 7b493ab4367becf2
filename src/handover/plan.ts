import { SpillwayError } from "../errors.ts";

/** What is known of a partition of the hot topic. */
export interface PartitionState {
  readonly partition: number;
  /** Where the log begins and ends. */
  readonly begin: bigint;
  readonly end: bigint;
  /** What the relay's group has committed; undefined where it has relayed nothing. */
  readonly relayed: bigint | undefined;
  /** What the group that it is handed to has committed. */
  readonly before: bigint | undefined;
  /** The oldest record that was relayed and not read since. */
  readonly unread: bigint | undefined;
}

/** Where the group is to go on. */
export interface PlannedPartition {
  readonly partition: number;
  readonly before: bigint | undefined;
  readonly after: bigint;
  readonly end: bigint;
  /** Offsets that were relayed, and will be read again: so many records at most are handled twice. */
  readonly again: bigint;
}

/**
 * Where a group goes on after a relay: where that stopped, or before, so that nothing unread is passed over.
 * @throws SpillwayError OFFSET_OUT_OF_RANGE, GROUP_MISMATCH where the group would miss records, or handle again what it
 *   has read by itself
 */
export function planPartition(state: PartitionState, topic: string): PlannedPartition {
  const { partition, begin, end, relayed, before, unread } = state;
  // Nothing of it was relayed: the group goes on where it was, or begins where a relay would have begun.
  const reached = relayed ?? before ?? begin;
  const after = unread !== undefined && unread < reached ? unread : reached;
  const context = { topic, partition, offset: after };
  if (before !== undefined && before > after) {
    throw new SpillwayError("GROUP_MISMATCH", `The group has read on by itself to offset ${before}`, {
      context: { ...context, hint: "If it is to handle that again, set its offsets by kafka-consumer-groups.sh" },
    });
  }
  if (after !== before && (after < begin || after > end)) {
    const hint =
      after < reached
        ? "What is unread can't be read here again: let the readers drain their topics, then hand back without rewinding"
        : "Start the relay once more: it says what is lost and goes on in the log; then stop it and hand back";
    throw new SpillwayError(
      "OFFSET_OUT_OF_RANGE",
      `The log holds offsets ${begin} to ${end}, so the group could not go on`,
      { context: { ...context, hint } },
    );
  }
  return { partition, before, after, end, again: reached - after };
}
