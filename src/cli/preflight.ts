import { writeFile } from "node:fs/promises";
import type { Logger } from "pino";
import { SpillwayError } from "../errors.ts";
import type { RelayOptions } from "../relay/options.ts";
import { untilStopped } from "./stop-signals.ts";

/** Nothing is written but the report, so there is nothing to finish. */
const STOP_DEADLINE_MS = 5_000;

/** What the relay says itself when it begins, with or without a preflight. */
const SAID_BY_THE_RELAY: ReadonlySet<string> = new Set(["RULES_CAN_SPLIT_KEYS"]);

interface DryRun {
  readonly log: Logger;
  readonly strict: boolean;
  /** For the report as JSON. */
  readonly file: string | undefined;
}

/** `spillway relay --dry-run`: looks, and says all that it found. @throws SpillwayError PREFLIGHT_FAILED */
export async function dryRun(options: RelayOptions, { log, strict, file }: DryRun): Promise<boolean> {
  const { assertPassed, preflight } = await import("../preflight/preflight.ts");
  const { preflightTable } = await import("../preflight/report-table.ts");
  const report = await untilStopped({ log, deadlineMs: STOP_DEADLINE_MS }, (signal) =>
    preflight(options, { signal, log }),
  );
  if (report === undefined) return false;
  process.stdout.write(`${preflightTable(report)}\n`);
  if (file !== undefined) await writeFile(file, `${JSON.stringify(report, undefined, 2)}\n`);
  assertPassed(report, strict);
  return true;
}

interface Look {
  readonly log: Logger;
  readonly strict: boolean;
  readonly signal: AbortSignal;
}

/** Before relaying: errors end it, warnings are logged. @throws SpillwayError what the relay would end with */
export async function lookFirst(options: RelayOptions, { log, strict, signal }: Look): Promise<void> {
  const { assertReady, preflight, QUICK } = await import("../preflight/preflight.ts");
  const report = await preflight(options, { signal, log }, QUICK).catch((error: unknown) => {
    const isLate = error instanceof SpillwayError && error.code === "TIMEOUT";
    if (!isLate || strict) throw error;
    // The relay is more patient: what is away may come back.
    log.warn({ error: error.message }, "the preflight could not be done");
    return undefined;
  });
  if (report === undefined) return;
  for (const { severity, code, what, action } of report.findings) {
    if (severity === "info") log.debug({ code, what }, "preflight");
    else if (!SAID_BY_THE_RELAY.has(code))
      log[severity === "error" ? "error" : "warn"]({ code, what, action }, "preflight");
  }
  assertReady(report, strict);
}
