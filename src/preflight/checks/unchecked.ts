import type { Answer } from "../facts.ts";
import { type Finding, finding } from "../finding.ts";
import type { Check } from "./check.ts";

/** What could not be found out, so that nobody takes silence for good news. */
export const checkUnchecked: Check = (facts) => {
  const missing = (answer: Answer<unknown>, what: string, grant: string): readonly Finding[] =>
    answer.kind === "known" ? [] : [notChecked(what, answer.why, answer.isForbidden ? grant : undefined)];
  const { sourceSettings, group, positions, transactionalId, brokerSettings, logs, sample } = facts;
  const unread = facts.targets.filter(({ settings }) => settings.kind === "unknown").map(({ topic }) => topic);
  return [
    ...missing(sourceSettings, "the source's configuration", "DESCRIBE_CONFIGS on the source"),
    ...(sourceSettings.kind === "known" && unread.length > 0
      ? [notChecked(`the configuration of ${unread.join(", ")}`, "the brokers don't tell", "DESCRIBE_CONFIGS on them")]
      : []),
    // Without READ on the group there is an error already.
    ...(group.kind === "unknown" && group.isForbidden ? [] : missing(group, "the group's offsets", "")),
    ...(group.kind === "unknown" ? [] : missing(positions, "the source's offsets", "DESCRIBE on the source")),
    ...missing(transactionalId, "the transactional id", "DESCRIBE on it"),
    ...missing(brokerSettings, "the brokers' configuration (authorizer, time-outs)", "DESCRIBE_CONFIGS on the cluster"),
    ...missing(logs, "the disks of the brokers", "DESCRIBE on the cluster"),
    ...(positions.kind === "unknown" ? [] : missing(sample, "a sample of the records", "READ on the source")),
    ...facts.targets.flatMap(({ topic, creation }) =>
      creation === undefined ? [] : missing(creation, `whether ${topic} can be made`, "CREATE on it"),
    ),
  ];
};

function notChecked(what: string, why: string, grant: string | undefined): Finding {
  return finding("warning", "NOT_CHECKED", {
    what: `Not checked: ${what}. ${why}`,
    why: "what is said elsewhere in this report leaves it out",
    action: grant === undefined ? "try again, or check it by hand" : `grant ${grant}, or check it by hand`,
    context: { unchecked: what },
  });
}
