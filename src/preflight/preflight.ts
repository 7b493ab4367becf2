/**
 * The preflight looks before the relay leaps: what is to be relayed, where to, by which rules and as whom.
 *
 * Guarantee: nothing is written, made or committed, and it ends within its time. What can't be found out is a finding.
 * An error is what surely can't work; a warning is for people to judge.
 */
import type { Logger } from "pino";
import { SpillwayError } from "../errors.ts";
import { Brokers } from "../kafka/cluster.ts";
import type { RelayOptions } from "../relay/options.ts";
import { Asker } from "./asker.ts";
import type { Finding } from "./finding.ts";
import { judge } from "./judge.ts";
import { readFacts } from "./read-facts.ts";
import { type PreflightReport, reportOf } from "./report.ts";
import type { SampleLimits } from "./sample.ts";

export interface PreflightContext {
  readonly signal: AbortSignal;
  readonly log: Logger;
}

export interface PreflightLimits {
  readonly sample: SampleLimits;
  /** Milliseconds for all of it once the cluster is reached. */
  readonly deadlineMs: number;
}

/** For somebody who waits for the answer. */
export const THOROUGH: PreflightLimits = {
  sample: { records: 20_000, bytes: 16 * 1024 * 1024, ms: 5_000, windows: 8 },
  deadlineMs: 20_000,
};

/** For a relay that is about to start. */
export const QUICK: PreflightLimits = {
  sample: { records: 4_000, bytes: 2 * 1024 * 1024, ms: 500, windows: 4 },
  deadlineMs: 3_000,
};

/**
 * @throws SpillwayError what keeps anything from being checked: BROKER_UNREACHABLE, AUTHENTICATION_FAILED,
 *   TIMEOUT if the topics can't be described in time, TOPIC_MISSING and NOT_AUTHORIZED for the source, CONFIG_INVALID
 *   for rules that contradict each other
 */
export async function preflight(
  options: RelayOptions,
  { signal, log }: PreflightContext,
  { sample: limits, deadlineMs }: PreflightLimits = THOROUGH,
): Promise<PreflightReport> {
  const started = performance.now();
  await using brokers = new Brokers(options.kafka, log);
  await brokers.connect(signal, log);
  const asker = new Asker(signal, deadlineMs);
  const facts = await readFacts({ brokers, options, asker, limits, signal });
  return reportOf(facts, judge(facts, options), options, (performance.now() - started) / 1_000);
}

/** What ends the command: an error, or with `strict` a warning. */
export function assertPassed({ errors, warnings, findings }: PreflightReport, strict: boolean): void {
  const [first] = findings;
  if (first === undefined || (errors === 0 && !(strict && warnings > 0))) return;
  const more = errors + (strict ? warnings : 0) - 1;
  const others = more === 0 ? "" : ` (and ${more} more: --dry-run shows all)`;
  throw new SpillwayError("PREFLIGHT_FAILED", `${first.what}${others}`, { context: { hint: sentence(first.action) } });
}

/**
 * The same for a relay that is about to start: an error ends it as it would end a little later, with the same code.
 */
export function assertReady(report: PreflightReport, strict: boolean): void {
  const failing = report.findings.find(
    (found): found is Finding & Required<Pick<Finding, "failure">> => found.failure !== undefined,
  );
  if (failing !== undefined) {
    throw new SpillwayError(failing.failure, failing.what, { context: { hint: sentence(failing.action) } });
  }
  assertPassed(report, strict);
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
