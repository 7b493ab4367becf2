import type { Setting, SinkSettings } from "./facts.ts";
import type { Range } from "./range.ts";

export type AdviceCode =
  | "MIXED_SETTINGS"
  | "OUTAGE"
  | "NOTHING_SEEN"
  | "FETCH_WAITS"
  | "BATCH_WAITS"
  | "BATCH_SMALL"
  | "BATCH_UNFILLED"
  | "WRITERS_FEW"
  | "IN_FLIGHT_SMALL"
  | "CONNECTIONS_FEW"
  | "COMMITS_OFTEN"
  | "COMMITS_SELDOM"
  | "HOT_KEY"
  | "DATABASE_LIMIT"
  | "PROCESS_LIMIT"
  | "IDLE_INSTANCES"
  | "UNEVEN_PARTITIONS"
  | "UNEXPLAINED"
  | "AS_IT_SHOULD_BE";

export type Change = {
  readonly [S in Setting]: { readonly setting: S; readonly from: SinkSettings[S]; readonly to: SinkSettings[S] };
}[Setting];

/** A figure that the advice is about, as it is and as it is expected to be. */
export interface Effect {
  readonly of:
    | "records/s at most"
    | "ms from read to written"
    | "ms until fetched"
    | "commits/s"
    | "records repeated by a crash";
  readonly from: number;
  readonly to: Range;
}

export interface Advice {
  readonly code: AdviceCode;
  /** What was seen, and why that matters. */
  readonly why: string;
  /** What to do where no setting does it, in the imperative. */
  readonly action: string | undefined;
  readonly changes: readonly Change[];
  readonly effect: Effect | undefined;
}

type Parts = { readonly why: string } & { readonly action?: string; readonly effect?: Effect | undefined };

/** Something to know, or to do where no setting does it. */
export function note(code: AdviceCode, { why, action, effect }: Parts): Advice {
  return { code, why, action, changes: [], effect };
}

/** Settings that are as they should be are left out; no advice if all are. */
export function changing(
  code: AdviceCode,
  settings: SinkSettings,
  to: Partial<SinkSettings>,
  { why, action, effect }: Parts,
): readonly Advice[] {
  const changes = (Object.keys(to) as Setting[])
    .filter((setting) => to[setting] !== settings[setting])
    .map((setting) => ({ setting, from: settings[setting], to: to[setting] }) as Change);
  return changes.length === 0 ? [] : [{ code, why, action, changes, effect }];
}

/** The settings once the advice is followed. */
export function followed(settings: SinkSettings, advice: readonly Advice[]): SinkSettings {
  const to = advice.flatMap(({ changes }) => changes.map((change) => [change.setting, change.to] as const));
  return { ...settings, ...Object.fromEntries(to) };
}
