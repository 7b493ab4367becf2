import { perSecond as shownRate } from "../../bench/sink/table.ts";
import type { Verdict } from "../ledger.ts";
import { type LadderName, type LadderPace, ladderOf, type Rung } from "./catalog.ts";
import { judge, sideClaims } from "./claims.ts";

/** What came of one row. */
export interface RungFigures {
  readonly rung: Rung;
  readonly perSecond: number;
  readonly verdict: Verdict;
  /** All records were written before the window was over. */
  readonly ranDry: boolean;
}

export interface LadderFigures {
  readonly ladder: LadderName;
  readonly database: string;
  readonly isInOrder: boolean;
  readonly rungs: readonly RungFigures[];
}

/** What `--json` writes of a ladder. */
export interface LadderResult {
  readonly scenario: LadderName;
  readonly ok: boolean;
  readonly database: string;
  readonly rows: readonly {
    readonly row: string;
    readonly theirs: readonly { readonly perSecond: number; readonly assumption: string }[];
    readonly docsPerSecond: number;
    readonly missing: number;
    readonly duplicates: number;
    /** Undefined where the database doesn't return documents as they were inserted. */
    readonly orderViolations: number | undefined;
  }[];
}

export function ladderResult(figures: LadderFigures, pace: LadderPace): LadderResult {
  return {
    scenario: figures.ladder,
    ok: ladderFaults(figures, pace).length === 0,
    database: figures.database,
    rows: figures.rungs.map(({ rung, perSecond: docsPerSecond, verdict }) => ({
      row: rung.name,
      theirs: rung.claims.map((claim) => ({ perSecond: claim.perSecond, assumption: judge(claim).text })),
      docsPerSecond: Math.round(docsPerSecond * 10) / 10,
      missing: verdict.missing,
      duplicates: verdict.duplicates,
      orderViolations: figures.isInOrder ? verdict.orderViolations : undefined,
    })),
  };
}

/** What is wrong, each in a sentence. That the accounts' own services write a key out of order is theirs, and shown. */
export function ladderFaults({ rungs, isInOrder }: LadderFigures, { isFull }: LadderPace): string[] {
  return rungs.flatMap(({ rung, verdict, ranDry }) => {
    const { missing, duplicates, strangers, orderViolations } = verdict;
    const isOurs = rung.service === undefined;
    const counts = [
      [missing, "messages are missing"],
      [duplicates, "messages came twice"],
      [strangers, "documents belong to no message"],
      [isOurs && isInOrder ? orderViolations : 0, "messages were written behind a later one of their key"],
    ] as const;
    const faults = counts.flatMap(([count, what]) => (count > 0 ? [`${rung.name}: ${count} ${what}`] : []));
    return isFull && ranDry ? [...faults, `${rung.name}: all was written before its time was over`] : faults;
  });
}

export const LADDER_HEADINGS = ["row", "theirs", "measured", "missing", "twice", "out of order"] as const;

export function ladderCells(
  { rung, perSecond: rate, verdict, ranDry }: RungFigures,
  isInOrder: boolean,
): readonly string[] {
  const theirs = rung.claims.map((claim) => `${claim.perSecond}${claim.isAtLeast ? "+" : ""}`).join(", then ");
  return [
    rung.name,
    theirs === "" ? "–" : `${theirs}/s`,
    ranDry ? "all at once" : `${shownRate(rate)}/s`,
    String(verdict.missing),
    String(verdict.duplicates),
    isInOrder ? String(verdict.orderViolations) : "–",
  ];
}

/** Per figure of the account, the assumptions under which it holds. */
export function assumptions({ ladder, rungs }: LadderFigures): string[] {
  const claims = rungs.flatMap(({ rung }) => rung.claims);
  return [
    ...claims.map((claim) => {
      const { what, perSecond, isAtLeast } = claim;
      return `${what}, ${perSecond}${isAtLeast ? "+" : ""} a second: ${judge(claim).text}.`;
    }),
    ...sideClaims(ladderOf(ladder).account),
  ];
}
