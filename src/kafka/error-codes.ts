/**
 * Kafka's error codes that Spillway reacts to, by name.
 * @see https://kafka.apache.org/protocol#protocol_error_codes
 */
export const ERROR = {
  NONE: 0,
  OFFSET_OUT_OF_RANGE: 1,
  CORRUPT_MESSAGE: 2,
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  LEADER_NOT_AVAILABLE: 5,
  NOT_LEADER_OR_FOLLOWER: 6,
  REQUEST_TIMED_OUT: 7,
  MESSAGE_TOO_LARGE: 10,
  NETWORK_EXCEPTION: 13,
  COORDINATOR_LOAD_IN_PROGRESS: 14,
  COORDINATOR_NOT_AVAILABLE: 15,
  NOT_COORDINATOR: 16,
  INVALID_TOPIC_EXCEPTION: 17,
  RECORD_LIST_TOO_LARGE: 18,
  NOT_ENOUGH_REPLICAS: 19,
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: 20,
  ILLEGAL_GENERATION: 22,
  INCONSISTENT_GROUP_PROTOCOL: 23,
  UNKNOWN_MEMBER_ID: 25,
  REBALANCE_IN_PROGRESS: 27,
  TOPIC_AUTHORIZATION_FAILED: 29,
  GROUP_AUTHORIZATION_FAILED: 30,
  CLUSTER_AUTHORIZATION_FAILED: 31,
  TOPIC_ALREADY_EXISTS: 36,
  INVALID_PARTITIONS: 37,
  INVALID_REPLICATION_FACTOR: 38,
  INVALID_CONFIG: 40,
  OUT_OF_ORDER_SEQUENCE_NUMBER: 45,
  DUPLICATE_SEQUENCE_NUMBER: 46,
  INVALID_PRODUCER_EPOCH: 47,
  CONCURRENT_TRANSACTIONS: 51,
  KAFKA_STORAGE_ERROR: 56,
  UNKNOWN_PRODUCER_ID: 59,
  GROUP_ID_NOT_FOUND: 69,
  FENCED_LEADER_EPOCH: 74,
  UNKNOWN_LEADER_EPOCH: 75,
  OFFSET_NOT_AVAILABLE: 78,
  MEMBER_ID_REQUIRED: 79,
  GROUP_MAX_SIZE_REACHED: 81,
  FENCED_INSTANCE_ID: 82,
  INVALID_RECORD: 87,
  UNSTABLE_OFFSET_COMMIT: 88,
  UNKNOWN_TOPIC_ID: 100,
  INCONSISTENT_TOPIC_ID: 103,
} as const;

const NAMES = new Map<number, string>(Object.entries(ERROR).map(([name, code]) => [code, name]));

/** The name of a code as Kafka's documentation has it, with its number. */
export function errorName(code: number): string {
  return `${NAMES.get(code) ?? "error"} (${code})`;
}

const NOT_AUTHORIZED: ReadonlySet<number> = new Set([
  ERROR.TOPIC_AUTHORIZATION_FAILED,
  ERROR.GROUP_AUTHORIZATION_FAILED,
  ERROR.CLUSTER_AUTHORIZATION_FAILED,
]);

export function isAuthorizationError(code: number): boolean {
  return NOT_AUTHORIZED.has(code);
}

/** The leader of a partition is elsewhere, or not there at the moment: ask for metadata, then ask again. */
const STALE_METADATA: ReadonlySet<number> = new Set([
  ERROR.UNKNOWN_TOPIC_OR_PARTITION,
  ERROR.LEADER_NOT_AVAILABLE,
  ERROR.NOT_LEADER_OR_FOLLOWER,
  ERROR.NETWORK_EXCEPTION,
  ERROR.KAFKA_STORAGE_ERROR,
  ERROR.FENCED_LEADER_EPOCH,
  ERROR.UNKNOWN_LEADER_EPOCH,
  ERROR.OFFSET_NOT_AVAILABLE,
  ERROR.UNKNOWN_TOPIC_ID,
  ERROR.INCONSISTENT_TOPIC_ID,
]);

export function isStaleMetadata(code: number): boolean {
  return STALE_METADATA.has(code);
}

/** A write with this code may be tried again as it is. */
const RETRYABLE_PRODUCE: ReadonlySet<number> = new Set([
  ...STALE_METADATA,
  ERROR.REQUEST_TIMED_OUT,
  ERROR.NOT_ENOUGH_REPLICAS,
  ERROR.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
  ERROR.CONCURRENT_TRANSACTIONS,
]);

export function isRetryableProduce(code: number): boolean {
  return RETRYABLE_PRODUCE.has(code);
}

/** The coordinator is elsewhere or not ready: find it again, then ask again. */
const COORDINATOR_MOVED: ReadonlySet<number> = new Set([
  ERROR.COORDINATOR_LOAD_IN_PROGRESS,
  ERROR.COORDINATOR_NOT_AVAILABLE,
  ERROR.NOT_COORDINATOR,
  ERROR.REQUEST_TIMED_OUT,
]);

export function isCoordinatorMoved(code: number): boolean {
  return COORDINATOR_MOVED.has(code);
}
