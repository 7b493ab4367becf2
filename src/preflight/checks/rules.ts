import { canSplitKeys } from "../../relay/routing.ts";
import { describeRule } from "../describe-rule.ts";
import { type Finding, finding } from "../finding.ts";
import { count, percent } from "../words.ts";
import type { Check } from "./check.ts";

/** Which rules can send records of one key different ways, which did, and what each takes. */
export const checkRules: Check = ({ sample }, { rules = [], target }) => {
  const findings: Finding[] = [];
  const splitting = rules.filter(canSplitKeys).map(describeRule);
  if (splitting.length > 0) {
    findings.push(
      finding("warning", "RULES_CAN_SPLIT_KEYS", {
        what: `${splitting.length === 1 ? "A rule looks" : `${splitting.length} rules look`} at more than the key: ${splitting.join("; ")}`,
        why: "records of one key can go different ways by it, and their order holds within each way only",
        action: "make sure that whoever reads the targets doesn't need the order across them, or divert by key",
        context: { rules: splitting },
      }),
    );
  }
  for (const rule of rules.filter(({ key }) => key !== undefined)) {
    findings.push(
      finding("info", "RULE_GIVES_NEW_KEYS", {
        what: `A rule gives records another key: ${describeRule(rule)}`,
        why: "the order holds for the new key as far as its records lay in one partition of the source, and no more for the old one",
        action: "make sure that records of the new key come from one partition, or that their order doesn't matter",
        context: { rule: describeRule(rule) },
      }),
    );
  }
  if (sample.kind === "unknown" || sample.value.records === 0) return findings;
  const { keys, routes, weight, records } = sample.value;
  if (keys.onSeveralRoutes > 0) {
    findings.push(
      finding("warning", "KEYS_SPLIT", {
        what: `${count(keys.onSeveralRoutes)} of ${count(keys.distinct)} keys in the sample go more than one way`,
        why: "their records are read from several topics or partitions, and so out of order",
        action: "divert by key, or let nobody rely on the order of these keys",
        context: { keys: keys.onSeveralRoutes, distinctKeys: keys.distinct, isCut: keys.isCut },
      }),
    );
  }
  if (rules.length === 0) return findings;
  for (const [i, route] of routes.entries()) {
    const rule = rules[i];
    const share = route.weight / weight;
    const context = { to: route.to, records: route.records, bytes: route.bytes, share, sampled: records };
    if (rule === undefined) {
      findings.push(
        finding("info", "REST_TAKES", {
          what: `${percent(share)} of the sample fit no rule and go to ${target}`,
          why: "this is what is left of the flood, or of the live traffic, in the main target",
          action: "check that it is the part that you want there",
          context,
        }),
      );
    } else if (route.records === 0) {
      findings.push(
        finding("warning", "RULE_TAKES_NOTHING", {
          what: `This rule took none of ${count(records)} records: ${describeRule(rule)}`,
          why: "its name or value may be mistyped, or a rule before it takes what it is meant for",
          action: "check it against a record, and the order of the rules: the first that fits counts",
          context: { ...context, rule: describeRule(rule) },
        }),
      );
    } else {
      findings.push(
        finding("info", "RULE_TAKES", {
          what: `${percent(share)} of the sample (${count(route.records)} records): ${describeRule(rule)}`,
          why: route.to === "drop" ? "so much is not relayed at all" : `so much goes to ${route.to}`,
          action: "check that it is the part that you mean",
          context: { ...context, rule: describeRule(rule) },
        }),
      );
    }
  }
  return findings;
};
