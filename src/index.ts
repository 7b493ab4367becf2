/** The public API of the library. */
export { DeadLetters } from "./dead-letter/dead-letter.ts";
export { type ErrorCode, type ErrorContext, SpillwayError } from "./errors.ts";
export { GROUP_DEFAULTS, GroupMember, type GroupOptions } from "./kafka/group-member.ts";
export { KAFKA_DEFAULTS, type KafkaOptions, type SaslOptions } from "./kafka/options.ts";
export { RecordProducer, type RecordProducerOptions } from "./kafka/record-producer.ts";
export { FETCH_DEFAULTS, type FetchOptions, openSource } from "./kafka/source.ts";
export { RELAY_DEFAULTS, type RelayOptions } from "./relay/options.ts";
export { type RelayContext, runRelay } from "./relay/relay.ts";
export type { JobReport } from "./relay/report.ts";
export { newRelayStats, type RelayStats } from "./relay/stats.ts";
export { SINK_DEFAULTS, type SinkOptions, type SinkRoute } from "./sink/options.ts";
export { runSink, type SinkParts } from "./sink/sink.ts";
export { newSinkStats, type SinkStats } from "./sink/stats.ts";
export { openMongoTarget } from "./sink/targets/mongo.ts";
export { isProven, type VerifyReport } from "./verify/report.ts";
export { type VerifyContext, type VerifyOptions, verifyRelay } from "./verify/verify.ts";
