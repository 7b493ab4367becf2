import { allows, type Operation, type Operations } from "../../kafka/describe.ts";
import { ERROR, isAuthorizationError } from "../../kafka/error-codes.ts";
import { transactionalIdOf } from "../../relay/options.ts";
import { type Finding, finding } from "../finding.ts";
import type { Check } from "./check.ts";

/** What this user may do, as far as the brokers tell; and whether anybody may do anything. */
export const checkPermissions: Check = (facts, options) => {
  const { source, targets, group, transactionalId, deadLetters, brokerSettings } = facts;
  const missing: Finding[] = [];
  const need = (resource: string, operations: Operations, needed: readonly Operation[]) => {
    const lacking = needed.filter((operation) => !allows(operations, operation));
    if (lacking.length > 0) missing.push(notAllowed(resource, lacking));
  };
  need(`topic ${source.topic}`, source.operations, ["READ", "DESCRIBE"]);
  for (const { topic, found, errorCode, creation } of targets) {
    if (found !== undefined) need(`topic ${topic}`, found.operations, ["WRITE", "DESCRIBE"]);
    else if (isAuthorizationError(errorCode)) missing.push(notAllowed(`topic ${topic}`, ["DESCRIBE"]));
    else if (creation?.kind === "known" && isAuthorizationError(creation.value.errorCode)) {
      missing.push(notAllowed(`topic ${topic}`, ["CREATE"], "or make it before"));
    }
  }
  if (deadLetters?.errorCode === ERROR.NONE) need(`topic ${deadLetters.topic}`, deadLetters.operations, ["WRITE"]);
  const { group: name } = options.group;
  if (group.kind === "unknown" && group.isForbidden) missing.push(notAllowed(`group ${name}`, ["READ"]));
  else if (group.kind === "known" && group.value.operations.kind === "known") {
    need(`group ${name}`, group.value.operations.value, ["READ"]);
  }
  if (transactionalId.kind === "known" && isAuthorizationError(transactionalId.value)) {
    const id = transactionalIdOf(options, { topic: source.topic, partition: 0 });
    missing.push(notAllowed(`transactional id ${id}`, ["WRITE"]));
  }
  if (missing.length > 0) return missing;
  if (brokerSettings.kind === "known" && brokerSettings.value.authorizer === "") {
    return [
      finding("info", "NO_AUTHORIZER", {
        what: "The brokers have no authorizer: everybody may do everything",
        why: "permissions could not be checked, and needn't be here",
        action: "run the preflight where the relay is to run, as the user that it is to have",
      }),
    ];
  }
  return [
    finding("info", "PERMISSIONS_SUFFICE", {
      what: "This user may do all that could be asked about: read the source, write to the targets, use the group",
      why: "the brokers don't tell everything: writing with a transactional id is only known to be allowed once it is done",
      action: "nothing",
    }),
  ];
};

function notAllowed(resource: string, operations: readonly string[], instead?: string): Finding {
  const wanted = operations.join(" and ");
  return finding("error", "NOT_ALLOWED", {
    what: `This user may not ${wanted} ${resource}`,
    why: "the relay can't do without it",
    action: `grant ${wanted} on ${resource}${instead === undefined ? "" : `, ${instead}`}`,
    context: { resource, operations },
    failure: "NOT_AUTHORIZED",
  });
}
