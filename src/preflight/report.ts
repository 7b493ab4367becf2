import type { RelayOptions } from "../relay/options.ts";
import type { Facts } from "./facts.ts";
import type { Finding, Severity } from "./finding.ts";
import type { Sample } from "./sample.ts";
import { spaceNeeded } from "./space.ts";

/** What the preflight found, and from how much. The shape is stable: it is what `--dry-run --json` writes. */
export interface PreflightReport {
  readonly source: string;
  readonly targets: readonly string[];
  readonly group: string;
  /** Undefined where none could be read. */
  readonly sample:
    | (Pick<Sample, "of" | "records" | "bytes" | "partitions" | "windows" | "isWhole"> & { readonly keys: number })
    | undefined;
  /** What is left to be relayed: offsets, and bytes of one replica in the source. */
  readonly backlog: { readonly offsets: number; readonly bytes: number } | undefined;
  readonly errors: number;
  readonly warnings: number;
  /** Errors first, then warnings. */
  readonly findings: readonly Finding[];
  readonly seconds: number;
}

export function reportOf(
  facts: Facts,
  findings: readonly Finding[],
  { source, group, replicationFactor }: RelayOptions,
  seconds: number,
): PreflightReport {
  const of = (severity: Severity) => findings.filter((finding) => finding.severity === severity).length;
  const sample = facts.sample.kind === "known" ? facts.sample.value : undefined;
  const space = spaceNeeded(facts, replicationFactor);
  return {
    source,
    targets: facts.targets.map(({ topic }) => topic),
    group: group.group,
    sample: sample === undefined ? undefined : sampleOf(sample),
    backlog: space === undefined ? undefined : { offsets: space.backlogOffsets, bytes: Math.round(space.backlogBytes) },
    errors: of("error"),
    warnings: of("warning"),
    findings,
    seconds,
  };
}

function sampleOf({ of, records, bytes, partitions, windows, isWhole, keys }: Sample): PreflightReport["sample"] {
  return { of, records, bytes, partitions, windows, isWhole, keys: keys.distinct };
}
