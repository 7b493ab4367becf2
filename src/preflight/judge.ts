import type { RelayOptions } from "../relay/options.ts";
import type { Check } from "./checks/check.ts";
import { checkCluster } from "./checks/cluster.ts";
import { checkDurability } from "./checks/durability.ts";
import { checkKeys } from "./checks/keys.ts";
import { checkPermissions } from "./checks/permissions.ts";
import { checkPositions } from "./checks/positions.ts";
import { checkRecords } from "./checks/records.ts";
import { checkRetention } from "./checks/retention.ts";
import { checkRules } from "./checks/rules.ts";
import { checkSpace } from "./checks/space.ts";
import { checkUnchecked } from "./checks/unchecked.ts";
import type { Facts } from "./facts.ts";
import { bySeverity, type Finding } from "./finding.ts";

const CHECKS: readonly Check[] = [
  checkCluster,
  checkPermissions,
  checkPositions,
  checkRules,
  checkKeys,
  checkRecords,
  checkRetention,
  checkSpace,
  checkDurability,
  checkUnchecked,
];

/** What the facts mean for a relay with these options, the worst first. */
export function judge(facts: Facts, options: RelayOptions): readonly Finding[] {
  return bySeverity(CHECKS.flatMap((check) => check(facts, options)));
}
