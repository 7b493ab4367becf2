import type { Brokers } from "../kafka/cluster.ts";
import { ERROR } from "../kafka/error-codes.ts";
import { api } from "../kafka/protocol/api.ts";
import {
  array,
  bool,
  int8,
  int16,
  int32,
  nullableArray,
  nullableString,
  string,
  struct,
} from "../kafka/protocol/codec.ts";

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

const describeConfigs = api(
  "DescribeConfigs",
  32,
  4,
  struct({
    resources: array(struct({ resourceType: int8, resourceName: string, configurationKeys: nullableArray(string) })),
    includeSynonyms: bool,
    includeDocumentation: bool,
  }),
  struct({
    throttleTimeMs: int32,
    results: array(
      struct({
        errorCode: int16,
        errorMessage: nullableString,
        resourceType: int8,
        resourceName: string,
        configs: array(
          struct({
            name: string,
            value: nullableString,
            readOnly: bool,
            configSource: int8,
            isSensitive: bool,
            synonyms: array(struct({ name: string, value: nullableString, source: int8 })),
            configType: int8,
            documentation: nullableString,
          }),
        ),
      }),
    ),
  }),
);
