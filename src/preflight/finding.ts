import type { ErrorCode } from "../errors.ts";

/** `error`: it surely can't work. `warning`: somebody should have a look before. `info`: good to know. */
export type Severity = "error" | "warning" | "info";

/** One thing that the preflight found. */
export interface Finding {
  /** Stable, for scripts. */
  readonly code: string;
  readonly severity: Severity;
  readonly what: string;
  /** Why it matters. */
  readonly why: string;
  /** What to do, in the imperative. */
  readonly action: string;
  /** The figures behind it, fit for JSON. */
  readonly context: Readonly<Record<string, unknown>>;
  /** Of an error: what the relay would end with, sooner or later. */
  readonly failure?: ErrorCode;
}

export type FindingText = Pick<Finding, "what" | "why" | "action"> & Partial<Pick<Finding, "context" | "failure">>;

export function finding(severity: Severity, code: string, { context = {}, ...text }: FindingText): Finding {
  return { code, severity, context, ...text };
}

const RANK: Readonly<Record<Severity, number>> = { error: 0, warning: 1, info: 2 };

/** Errors first, then warnings; as they were found otherwise. */
export function bySeverity(findings: readonly Finding[]): readonly Finding[] {
  return findings.toSorted((a, b) => RANK[a.severity] - RANK[b.severity]);
}
