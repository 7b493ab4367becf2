import type { Brokers } from "../kafka/cluster.ts";
import { ERROR } from "../kafka/error-codes.ts";
import { describeConfigs } from "../kafka/protocol/messages.ts";

const TOPIC_RESOURCE = 2;
const CLEANUP_POLICY = "cleanup.policy";

/** The topics that are compacted. One whose configuration this user may not read counts as not compacted. */
export async function compactedTopics(brokers: Brokers, topics: readonly string[]): Promise<ReadonlySet<string>> {
  const { results } = await brokers.request(
    describeConfigs,
    {
      resources: topics.map((topic) => ({
        resourceType: TOPIC_RESOURCE,
        resourceName: topic,
        configurationKeys: [CLEANUP_POLICY],
      })),
      includeSynonyms: false,
      includeDocumentation: false,
    },
    "any",
  );
  const compacted = results.filter(
    ({ errorCode, configs }) =>
      errorCode === ERROR.NONE &&
      configs.some(({ name, value }) => name === CLEANUP_POLICY && value?.includes("compact") === true),
  );
  return new Set(compacted.map(({ resourceName }) => resourceName));
}
