/** What happens to a relay and sinks in operation. */
export const OPERATION_NAMES = ["steady-state", "database-outage", "relay-crash", "scale-out"] as const;
export type OperationName = (typeof OPERATION_NAMES)[number];

export const TITLES: Readonly<Record<OperationName, string>> = {
  "steady-state": "live messages and nothing else",
  "database-outage": "the database is away for a while, and messages go on",
  "relay-crash": "the relay is killed in a backfill, again and again",
  "scale-out": "one sink is too few; then there are three",
};

export const HOT_PARTITIONS = 3;
export const WIDE_PARTITIONS = 12;
export const SINKS = { before: 1, after: 3 } as const;

/** How long the parts of each scenario take, and how many messages a second come beside the live ones. */
export interface OperationPace {
  readonly isFull: boolean;
  readonly steady: { readonly ms: number };
  readonly outage: { readonly perSecond: number; readonly beforeMs: number; readonly awayMs: number };
  readonly crash: {
    readonly perSecond: number;
    readonly kills: number;
    readonly aliveMs: number;
    readonly downMs: number;
  };
  readonly scale: { readonly perSecond: number; readonly beforeMs: number; readonly afterMs: number };
}

export const FULL_OPERATIONS: OperationPace = {
  isFull: true,
  steady: { ms: 180_000 },
  outage: { perSecond: 200, beforeMs: 20_000, awayMs: 60_000 },
  crash: { perSecond: 450, kills: 5, aliveMs: 10_000, downMs: 3_000 },
  scale: { perSecond: 120, beforeMs: 30_000, afterMs: 100_000 },
};

export const SHORT_OPERATIONS: OperationPace = {
  isFull: false,
  steady: { ms: 1_000 },
  outage: { perSecond: 100, beforeMs: 500, awayMs: 3_000 },
  crash: { perSecond: 450, kills: 1, aliveMs: 1_000, downMs: 200 },
  scale: { perSecond: 120, beforeMs: 1_000, afterMs: 2_000 },
};

/** Makes one sink slower than what comes in: one write of ten messages at a time, each of 100 ms. */
export const SLOW_SINK = ["--writers", "1", "--batch-records", "10"] as const;
export const SLOW_WRITE_MS = 100;
