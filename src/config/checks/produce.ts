import { type Check, type CheckedOptions, type Finding, mustNotExceed } from "../check.ts";

export const PRODUCE_CHECKS: readonly Check[] = [{ commands: ["backfill"], kind: "problem", find: rates }];

const OF_PEAKS = ["backfill.peakRate", "backfill.peaks"] as const;

function rates(options: CheckedOptions): Finding[] {
  const { values, isSet, name } = options;
  const hasNoRate = values["backfill.profile"] === "burst" && !isSet("backfill.rate");
  return [
    mustNotExceed(options, "backfill.rate", "backfill.peakRate"),
    ...OF_PEAKS.filter(isSet).map(
      (key) => hasNoRate && `${name(key)} needs an average rate, backfill.rate: the profile burst sends all at once`,
    ),
  ];
}
