import { BACKFILL_CLAIMS, type Claim, CRYPTO_CLAIMS } from "./claims.ts";
import type { Writing } from "./job.ts";

export const LADDER_NAMES = ["crypto-ladder", "dynamodb-ladder"] as const;
export type LadderName = (typeof LADDER_NAMES)[number];

/** One row: a service as the account describes it, or Spillway. */
export interface Rung {
  readonly name: string;
  /** What the account says of it; its figures may be several. */
  readonly claims: readonly Claim[];
  /** Undefined: `spillway sink` with its defaults. */
  readonly service: Service | undefined;
}

interface Service extends Writing {
  /** `one`: one consumer for all topics; `each`: one for each topic, or each partition where there is one topic. */
  readonly consumers: "one" | "each";
}

export interface Ladder {
  readonly name: LadderName;
  readonly title: string;
  readonly account: "crypto" | "backfill";
  readonly target: "mongodb" | "dynamodb";
  /** What the proxy adds to each write: so much, more or less by the jitter. */
  readonly latencyMs: number;
  readonly jitterMs: number;
  readonly topics: readonly string[];
  readonly partitions: number;
  /** In each topic. */
  readonly keys: number;
  readonly rungs: readonly Rung[];
}

const one = { batch: 1, batchMs: 5_000, queue: 0, writers: 1 } as const;
const SPILLWAY: Rung = { name: "Spillway, defaults", claims: [], service: undefined };

const LADDERS: Readonly<Record<LadderName, Ladder>> = {
  "crypto-ladder": {
    name: "crypto-ladder",
    title: "crypto prices: three topics into MongoDB, 50–200 ms a write",
    account: "crypto",
    target: "mongodb",
    ...{ latencyMs: 125, jitterMs: 75 },
    topics: ["btc", "eth", "sol"],
    ...{ partitions: 1, keys: 1 },
    rungs: [
      rung(CRYPTO_CLAIMS.one, { ...one, consumers: "one" }),
      rung(CRYPTO_CLAIMS.batches, { ...one, batch: 50, consumers: "one" }),
      rung(CRYPTO_CLAIMS.queue, { ...one, batch: 50, batchMs: 3_000, queue: 1_000, consumers: "one" }),
      rung(CRYPTO_CLAIMS["per-topic"], { ...one, batch: 50, batchMs: 3_000, queue: 1_000, consumers: "each" }),
      // The pool of 50 connections that it names, shared by three consumers.
      rung(CRYPTO_CLAIMS.all, { batch: 50, batchMs: 3_000, queue: 1_000, writers: 16, consumers: "each" }),
      SPILLWAY,
    ],
  },
  "dynamodb-ladder": {
    name: "dynamodb-ladder",
    title: "backfill: three partitions into DynamoDB, 180 ms a write",
    account: "backfill",
    target: "dynamodb",
    ...{ latencyMs: 180, jitterMs: 0 },
    topics: ["backfill"],
    ...{ partitions: 3, keys: 10_000 },
    rungs: [
      rung(BACKFILL_CLAIMS.one, { ...one, consumers: "each" }),
      {
        name: "batches of 25 or 1 s",
        claims: [BACKFILL_CLAIMS.batches, BACKFILL_CLAIMS["batches-seen"]],
        service: { ...one, batch: 25, batchMs: 1_000, consumers: "each" },
      },
      SPILLWAY,
    ],
  },
};

export function ladderOf(name: LadderName): Ladder {
  return LADDERS[name];
}

function rung(claim: Claim, service: Service): Rung {
  return { name: claim.what, claims: [claim], service };
}

/** How long each row is run and measured. */
export interface LadderPace {
  readonly warmupMs: number;
  readonly windowMs: number;
  /** Filled in beforehand, over all topics. */
  readonly records: number;
  readonly isFull: boolean;
}

const FULL: LadderPace = { warmupMs: 3_000, windowMs: 15_000, records: 450_000, isFull: true };
const SHORT: LadderPace = { warmupMs: 0, windowMs: 800, records: 6_000, isFull: false };

export function ladderPace(isFull: boolean): LadderPace {
  return isFull ? FULL : SHORT;
}
