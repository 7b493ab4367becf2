import type { Check, CheckedOptions, Finding } from "../check.ts";

export const DLQ_CHECKS: readonly Check[] = [
  { commands: ["dlq-list"], kind: "problem", find: parked },
  { commands: ["dlq-redrive"], kind: "problem", find: ofKeys },
  { commands: ["dlq-list", "dlq-show", "dlq-redrive"], kind: "problem", find: times },
];

function parked({ values, isSet, name }: CheckedOptions): Finding[] {
  const { "dlq.parked": isParked } = values;
  return [
    isParked && !isSet("dlq.group") && `${name("dlq.parked")} needs the sink's group, dlq.group`,
    !isParked && isSet("dlq.group") && `${name("dlq.group")} is for parked keys: set dlq.parked too`,
  ];
}

/** A sink redrives its parked keys by itself, in full: what chooses among letters means nothing then. */
function ofKeys({ isSet, name }: CheckedOptions): Finding[] {
  const others = ["dlq.error", "dlq.since", "dlq.until", "dlq.record", "dlq.to", "dlq.recordsPerSecond"] as const;
  const isOfGroup = isSet("dlq.group");
  const wrong = others.find((key) => isSet(key));
  return [
    isSet("dlq.without") && !isOfGroup && `${name("dlq.without")} is for parked keys: set dlq.group too`,
    isOfGroup &&
      wrong !== undefined &&
      `${name(wrong)} does not go with ${name("dlq.group")}, by which keys are redriven`,
  ];
}

function times({ values, name }: CheckedOptions): Finding[] {
  const { "dlq.since": since, "dlq.until": until } = values;
  return [
    since !== undefined &&
      until !== undefined &&
      since.at >= until.at &&
      `${name("dlq.since")} must be before ${name("dlq.until")}`,
  ];
}
