import type { Check, CheckedOptions, Finding } from "../check.ts";

export const DEMO_CHECKS: readonly Check[] = [{ commands: ["demo"], kind: "problem", find: services }];

const ADDRESSES = ["kafka.brokers", "mongo.url"] as const;

function services({ values, isSet, name }: CheckedOptions): Finding[] {
  const isAsked = values["demo.docker"] === true;
  return ADDRESSES.map(
    (key) =>
      isAsked && isSet(key) && `${name("demo.docker")} starts its own, but ${name(key)} is set too: leave one out`,
  );
}
