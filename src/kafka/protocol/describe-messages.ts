/** The requests that only ask how things are: nothing is read, written or changed by them. */
import { api } from "./api.ts";
import { array, bool, int8, int16, int32, int64, nullableArray, nullableString, string, struct } from "./codec.ts";

export const describeConfigs = api(
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

/** By this version a broker tells how much room its log directories have (KIP-827): Kafka 3.3. */
export const describeLogDirs = api(
  "DescribeLogDirs",
  35,
  4,
  struct({ topics: nullableArray(struct({ topic: string, partitions: array(int32) })) }),
  struct({
    throttleTimeMs: int32,
    errorCode: int16,
    results: array(
      struct({
        errorCode: int16,
        logDir: string,
        topics: array(
          struct({
            name: string,
            partitions: array(
              struct({ partitionIndex: int32, partitionSize: int64, offsetLag: int64, isFutureKey: bool }),
            ),
          }),
        ),
        totalBytes: int64,
        usableBytes: int64,
      }),
    ),
  }),
);
