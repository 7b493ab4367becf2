import type { Condition, Rule } from "../relay/routing.ts";
import { timeInWords } from "./words.ts";

/** A rule much as it was written. */
export function describeRule({ when, to, key }: Rule): string {
  const target = to === "drop" ? to : `${to.topic}/${to.partitions}`;
  if (key === undefined) return `${describeCondition(when)} -> ${target}`;
  return `${describeCondition(when)} -> ${target} keyed by ${key.kind} ${key.kind === "json" ? key.path.join(".") : key.name}`;
}

const SIGN = { equals: "=", prefix: "^=" } as const;

function describeCondition(when: Condition): string {
  switch (when.kind) {
    case "always":
      return "always";
    case "header":
      return when.match === "exists" ? `header ${when.name}` : `header ${when.name} ${SIGN[when.match]} ${when.value}`;
    case "key":
      return `key ${SIGN[when.match]} ${when.value}`;
    case "older-than":
      return `older than ${timeInWords(when.ms)}`;
    case "window":
      return `time ${new Date(when.from).toISOString()}..${new Date(when.to).toISOString()}`;
    case "json":
      return `json ${when.path.join(".")} = ${when.value}`;
  }
}
