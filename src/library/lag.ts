import type { SpillwayError } from "../errors.ts";
import { kafkaOptionsOf, logOf } from "../kafka/kafkajs-config.ts";
import type { JudgeLimits } from "../lag/judge.ts";
import { LAG_DEFAULTS, type LagOptions } from "../lag/options.ts";
import { readLag as look, watchLag as lookOn } from "../lag/read-lag.ts";
import type { LagReport } from "../lag/report.ts";
import { withoutUndefined } from "../runtime/without-undefined.ts";
import { type Common, signalOf } from "./options.ts";

/** Whose lag to read, and within which bounds; what is left out is as `spillway lag` has it. */
export interface LagConfig extends Common, Partial<Omit<LagOptions, "kafka" | "judge">> {
  readonly judge?: Partial<JudgeLimits>;
}

export interface WatchLagConfig extends LagConfig {
  /** Is told of a look that failed for a reason that may pass; the next one comes all the same. */
  readonly onFailure?: (error: SpillwayError) => void;
}

/**
 * Looks at consumer groups, anybody's, until it can say how each does: `judge.stalledAfterMs` (30 s) at most, once where
 * all have caught up. Nothing is changed, and no group is joined. Offsets are bigints, times milliseconds where their name
 * says so, rates per second.
 * @throws SpillwayError BROKER_UNREACHABLE, AUTHENTICATION_FAILED, NOT_AUTHORIZED, TIMEOUT; the signal's reason once that
 *   is aborted
 */
export async function readLag(config: LagConfig): Promise<LagReport> {
  return await look(optionsOf(config), contextOf(config));
}

/**
 * Looks again every `intervalMs`, until the signal is aborted or the loop over it is left.
 * @throws SpillwayError as `readLag`, where no further look can help
 */
export async function* watchLag(config: WatchLagConfig): AsyncGenerator<LagReport, void, undefined> {
  const { log, signal } = contextOf(config);
  const failed = config.onFailure ?? ((error: SpillwayError) => log.warn({ error: error.message }, "could not look"));
  yield* lookOn(optionsOf(config), { log, signal }, failed);
}

function optionsOf({ kafka, judge, ...given }: LagConfig): LagOptions {
  const limits = { ...LAG_DEFAULTS.judge, ...withoutUndefined(judge ?? {}) };
  return { ...LAG_DEFAULTS, ...withoutUndefined(given), judge: limits, kafka: kafkaOptionsOf(kafka) };
}

function contextOf(config: Common) {
  return { log: logOf(config.kafka, config.log), signal: signalOf(config) };
}
