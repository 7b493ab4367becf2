/** A topic's retention, as its configuration says. Limits that aren't set are infinite. */
export interface Retention {
  /** Records in the middle of the log may go, too: what was counted once may be fewer later. */
  readonly isCompacted: boolean;
  /** False for a topic that is compacted only: nothing is deleted for its age or for its size. */
  readonly isDeleting: boolean;
  readonly ms: number;
  /** Of a partition. */
  readonly bytes: number;
}

const KEYS = { policy: "cleanup.policy", ms: "retention.ms", bytes: "retention.bytes" } as const;
/** What is to be asked of a topic's configuration. */
export const RETENTION_KEYS: readonly string[] = Object.values(KEYS);

/** @param value of a key in the topic's configuration, in force */
export function retentionOf(value: (key: string) => string | null | undefined): Retention {
  const policies = (value(KEYS.policy) ?? "delete").split(",").map((policy) => policy.trim());
  const limit = (key: string) => {
    const number = Number(value(key) ?? -1);
    return number < 0 ? Infinity : number;
  };
  return {
    isCompacted: policies.includes("compact"),
    isDeleting: policies.includes("delete"),
    ms: limit(KEYS.ms),
    bytes: limit(KEYS.bytes),
  };
}

/** When retention deletes the oldest unread record. */
export type UntilDeleted =
  /** Nothing waits. */
  | { readonly kind: "nothing-unread" }
  | { readonly kind: "never" }
  /** No sooner than that: a broker deletes whole segments, and looks every few minutes. 0 for at any time. */
  | { readonly kind: "in"; readonly seconds: number; readonly by: "age" | "size" }
  | { readonly kind: "unknown"; readonly why: string };

/** What is known of a partition's unread records, as far as their retention goes. */
export interface UnreadData {
  readonly isWaiting: boolean;
  /** Milliseconds since the epoch, of the oldest unread record; undefined if it isn't known. */
  readonly oldestMs: number | undefined;
  readonly nowMs: number;
  /** Offsets from the committed one to the end of the log, and from the log's start. */
  readonly unreadOffsets: number;
  readonly logOffsets: number;
  /** Of the partition's log; undefined if it isn't known. */
  readonly logBytes: number | undefined;
  /** Offsets per second; undefined if it isn't known. */
  readonly arrivalPerSecond: number | undefined;
}

/** By age or by size, whichever comes first; unknown where one that could come first is. */
export function untilDeleted(retention: Retention | undefined, data: UnreadData): UntilDeleted {
  if (!data.isWaiting) return { kind: "nothing-unread" };
  if (retention === undefined) return { kind: "unknown", why: "the topic's configuration isn't known" };
  if (!retention.isDeleting) return { kind: "never" };
  const byAge = secondsByAge(retention, data);
  const bySize = secondsBySize(retention, data);
  // What is due at once is due, whatever the other limit says.
  if (byAge === 0) return { kind: "in", seconds: 0, by: "age" };
  if (bySize === 0) return { kind: "in", seconds: 0, by: "size" };
  if (byAge === undefined) return { kind: "unknown", why: "the oldest unread record's time isn't known" };
  if (bySize === undefined) return { kind: "unknown", why: "the log's size, or how fast it grows, isn't known" };
  if (byAge === Infinity && bySize === Infinity) return { kind: "never" };
  return byAge <= bySize ? { kind: "in", seconds: byAge, by: "age" } : { kind: "in", seconds: bySize, by: "size" };
}

function secondsByAge({ ms }: Retention, { oldestMs, nowMs }: UnreadData): number | undefined {
  if (ms === Infinity) return Infinity;
  return oldestMs === undefined ? undefined : Math.max(0, (oldestMs + ms - nowMs) / 1_000);
}

/** The log keeps so many of its last bytes: unread records leave it once as much stands behind them. */
function secondsBySize({ bytes }: Retention, data: UnreadData): number | undefined {
  const { unreadOffsets, logOffsets, logBytes, arrivalPerSecond } = data;
  if (bytes === Infinity) return Infinity;
  if (logBytes === undefined || logOffsets <= 0) return undefined;
  const bytesEach = logBytes / logOffsets;
  const room = bytes - unreadOffsets * bytesEach;
  if (room <= 0) return 0;
  if (arrivalPerSecond === undefined) return undefined;
  return arrivalPerSecond * bytesEach === 0 ? Infinity : room / (arrivalPerSecond * bytesEach);
}
