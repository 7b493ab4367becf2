import type { Check, CheckedOptions, Finding } from "../check.ts";

export const LAG_CHECKS: readonly Check[] = [{ commands: ["lag"], kind: "problem", find: chosen }];

/** Groups come and go: metrics of all that a cluster ever has would have no bound. */
function chosen({ isSet, name }: CheckedOptions): Finding[] {
  const isServed = isSet("server.listen");
  return [
    isServed && !isSet("lag.groups") && `${name("server.listen")} needs lag.groups: say by --group whose lag to show`,
  ];
}
