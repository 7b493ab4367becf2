/**
 * What to change about a group of sinks, why, and what to expect of it.
 *
 * Pure: facts in, advice out. A setting is changed by one rule only, so no two pieces of advice contradict each other, and
 * all of it can be followed at once. Who has followed it is given no other, as long as the facts are those that were
 * expected.
 */
import { type Advice, followed, note } from "./advice.ts";
import type { Facts, Setting } from "./facts.ts";
import { type Load, loadOf } from "./load.ts";
import { commits } from "./rules/commits.ts";
import { limits } from "./rules/limits.ts";
import { batchWaits, fetchWaits } from "./rules/waiting.ts";
import { connections, writing } from "./rules/writing.ts";
import { amount, figure } from "./words.ts";

/** @throws RangeError without an instance */
export function advise(facts: Facts): readonly Advice[] {
  const load = loadOf(facts);
  const written = writing(load);
  const then = followed(load.settings, written);
  const waits = [...batchWaits(load, then), ...fetchWaits(load)];
  const changes = [...written, ...connections(load, then), ...waits, ...commits(load)];
  const isChanged = changes.some(({ code }) => code !== "COMMITS_OFTEN" && code !== "COMMITS_SELDOM");
  const found = [...outage(facts), ...mixed(facts), ...changes, ...limits(load, facts, isChanged)];
  return found.length > 0 ? found : [otherwise(load)];
}

/** Figures of an outage say nothing about settings. */
function outage({ instances }: Facts): readonly Advice[] {
  const retries = instances.reduce((sum, one) => sum + one.retries, 0);
  if (retries === 0) return [];
  return [
    note("OUTAGE", {
      why: `${amount(retries, "attempt")} to write met an error that passes: what was seen is partly of an outage`,
      action: "Look again when the database is well",
    }),
  ];
}

function mixed({ instances }: Facts): readonly Advice[] {
  const [first, ...others] = instances.map(({ settings }) => settings);
  if (first === undefined) return [];
  const names = Object.keys(first) as Setting[];
  const different = names.filter((name) => others.some((one) => one[name] !== first[name]));
  if (different.length === 0) return [];
  return [
    note("MIXED_SETTINGS", {
      why: `Instances differ in ${different.join(", ")}: the advice starts from those of ${instances[0]?.from}`,
      action: "Run all instances of a group under the same settings",
    }),
  ];
}

function otherwise({ recordsPerSecond, waiting, isBehind, cost }: Load): Advice {
  if (isBehind) {
    return note("UNEXPLAINED", {
      why: `${amount(waiting, "record")} wait, ${figure(recordsPerSecond)} records/s are written, and nothing that was seen explains why it isn't more`,
      action: "Look again in a while: it may just have started; then see what spillway lag says",
    });
  }
  if (cost === undefined) {
    return note("NOTHING_SEEN", {
      why: "Nothing was written while it was looked at, so there is little to go by",
      action: "Look again under load, best at a peak",
    });
  }
  return note("AS_IT_SHOULD_BE", { why: "It writes what arrives, and no setting keeps it from more" });
}
