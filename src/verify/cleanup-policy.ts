import type { Brokers } from "../kafka/cluster.ts";
import { topicConfigs } from "../kafka/describe.ts";

const CLEANUP_POLICY = "cleanup.policy";

/** The topics that are compacted. One whose configuration this user may not read counts as not compacted. */
export async function compactedTopics(brokers: Brokers, topics: readonly string[]): Promise<ReadonlySet<string>> {
  const configs = await topicConfigs(brokers, topics, [CLEANUP_POLICY]);
  const compacted = configs.filter(({ values }) => values.get(CLEANUP_POLICY)?.value?.includes("compact") === true);
  return new Set(compacted.map(({ name }) => name));
}
