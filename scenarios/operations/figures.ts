import type { LatencySummary } from "../../src/demo/live-watch.ts";
import type { Verdict } from "../ledger.ts";
import type { BacklogPoint } from "./backlog.ts";
import { type OperationName, SINKS } from "./catalog.ts";

export interface SteadyFigures {
  readonly scenario: "steady-state";
}

export interface OutageFigures {
  readonly scenario: "database-outage";
  readonly awaySeconds: number;
  /** Messages that were not in the database when it came back. */
  readonly waiting: number;
  /** Documents that came to be meanwhile. */
  readonly writtenWhileAway: number;
  /** Generations that sinks joined meanwhile: 0, since an outage costs nobody its membership. */
  readonly rebalances: number;
  readonly caughtUpSeconds: number;
}

export interface CrashFigures {
  readonly scenario: "relay-crash";
  readonly kills: number;
  /** Messages at most that were not in the database before the relay was started again. */
  readonly waiting: number;
  /** From the relay's last start. */
  readonly caughtUpSeconds: number;
}

export interface ScaleFigures {
  readonly scenario: "scale-out";
  /** Messages that were not in the database when sinks were added. */
  readonly waiting: number;
  /** Documents a second. */
  readonly writtenBefore: number;
  readonly writtenAfter: number;
  /** Until each sink had partitions. */
  readonly sharedSeconds: number;
  readonly caughtUpSeconds: number;
  /** Whether the backlog was worked off while as many messages as before came in. */
  readonly fellWhileLoaded: boolean;
  /** Of each sink. */
  readonly partitions: readonly number[];
}

export type OwnFigures = SteadyFigures | OutageFigures | CrashFigures | ScaleFigures;

/** What `spillway verify` says of the wide topic. */
export interface Relayed {
  readonly records: number;
  readonly missing: number;
  readonly duplicated: number;
  readonly outOfOrder: number;
  readonly wrongPartition: number;
  readonly isProven: boolean;
}

/** What came of one scenario. */
export interface OperationFigures {
  readonly own: OwnFigures;
  readonly database: string;
  /** Of live messages, from when each was due until it could be read in the database; over the whole scenario. */
  readonly live: LatencySummary;
  readonly backlog: readonly BacklogPoint[];
  readonly relayed: Relayed;
  /** Records in the sinks' dead-letter topic. */
  readonly deadLetters: number;
  readonly verdict: Verdict;
  readonly isFull: boolean;
}

/** What `--json` writes of it, the scenario's own figures in it. */
export type OperationResult = OwnFigures & {
  readonly scenario: OperationName;
  readonly ok: boolean;
  readonly messages: number;
  readonly liveP50Ms: number;
  readonly liveP99Ms: number;
  readonly relayed: Relayed;
  readonly deadLetters: number;
  readonly missing: number;
  readonly duplicates: number;
  readonly orderViolations: number;
};

export function operationResult(figures: OperationFigures): OperationResult {
  const { own, live, relayed, deadLetters, verdict } = figures;
  const { missing, duplicates, orderViolations, documents } = verdict;
  return {
    ok: operationFaults(figures).length === 0,
    ...own,
    messages: documents,
    liveP50Ms: Math.round(live.p50Ms),
    liveP99Ms: Math.round(live.p99Ms),
    ...{ relayed, deadLetters, missing, duplicates, orderViolations },
  };
}

/** The check at a scenario's end: what is wrong, each in a sentence. Of a short run, speed says nothing. */
export function operationFaults({ own, live, relayed, deadLetters, verdict, isFull }: OperationFigures): string[] {
  const counts = [
    [verdict.missing, "messages are missing"],
    [verdict.duplicates, "messages came twice"],
    [verdict.orderViolations, "messages were written behind a later one of their key"],
    [verdict.strangers, "documents belong to no message"],
    [deadLetters, "messages are dead letters"],
    [live.undelivered, "live messages were never seen"],
  ] as const;
  const faults = counts.flatMap(([count, what]) => (count > 0 ? [`${count} ${what}`] : []));
  if (!relayed.isProven) faults.push(`the wide topic isn't what the hot one is: ${JSON.stringify(relayed)}`);
  return [...faults, ...ownFaults(own, isFull)];
}

function ownFaults(own: OwnFigures, isFull: boolean): string[] {
  switch (own.scenario) {
    case "steady-state":
      return [];
    case "database-outage":
      return [
        ...(own.waiting > 0 ? [] : ["nothing waited: the database wasn't away"]),
        ...(own.writtenWhileAway === 0 ? [] : [`${own.writtenWhileAway} documents were written, though it was away`]),
        ...(own.rebalances === 0 ? [] : [`sinks joined their group again, ${own.rebalances} times`]),
      ];
    case "relay-crash":
      return own.waiting > 0 ? [] : ["nothing waited: the relay wasn't gone"];
    case "scale-out":
      return [
        ...(own.partitions.length === SINKS.after && own.partitions.every((count) => count > 0)
          ? []
          : [`sinks had ${own.partitions.join(", ")} partitions`]),
        ...(!isFull || own.fellWhileLoaded ? [] : ["the backlog was there until no more messages came"]),
      ];
  }
}

/** Its own figures in words. */
export function storyOf(own: OwnFigures): string {
  switch (own.scenario) {
    case "steady-state":
      return "";
    case "database-outage":
      return `away for ${own.awaySeconds} s, ${own.waiting} waiting then; caught up in ${own.caughtUpSeconds} s, ${own.rebalances} rebalances`;
    case "relay-crash":
      return `killed ${own.kills} times, ${own.waiting} waiting at most; caught up ${own.caughtUpSeconds} s after the last start`;
    case "scale-out":
      return `1 sink ${own.writtenBefore}/s, ${own.waiting} waiting; ${own.partitions.length} sinks ${own.writtenAfter}/s, caught up in ${own.caughtUpSeconds} s`;
  }
}

export const OPERATION_HEADINGS = [
  ...[
    "scenario",
    "messages",
    "live p50",
    "live p99",
    "missing",
    "twice",
    "out of order",
    "dead letters",
    "what happened",
  ],
] as const;

export function operationCells({ own, live, verdict, relayed, deadLetters }: OperationFigures): readonly string[] {
  return [
    own.scenario,
    String(verdict.documents),
    `${live.p50Ms.toFixed(0)} ms`,
    `${live.p99Ms.toFixed(0)} ms`,
    String(verdict.missing + relayed.missing),
    String(verdict.duplicates + relayed.duplicated),
    String(verdict.orderViolations + relayed.outOfOrder),
    String(deadLetters),
    storyOf(own),
  ];
}
