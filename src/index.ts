/**
 * The public API of the library.
 *
 * `createRelay`, `createSink`, `createProducer`, `readLag`, `watchLag`, `verify` and `handBack` all take a configuration of
 * KafkaJS as it is, and are ended by an AbortSignal or by leaving the scope of `await using`.
 */
export type { LetterPlace } from "./dead-letter/dead-letter.ts";
export type { PoisonBatchPolicy } from "./dead-letter/poison.ts";
export type { DeadLetterReason } from "./dead-letter/reason.ts";
export type { Decoded, PoisonReason } from "./decode/decoded.ts";
export { bytesDecoder, type Decoder, jsonDecoder, stringDecoder } from "./decode/decoder.ts";
export { type RegistryAuth, RegistryClient, type RegistryOptions } from "./decode/registry/client.ts";
export { RegistryDecoder, type RegistryDecoderOptions } from "./decode/registry/registry-decoder.ts";
export { type ErrorCode, type ErrorContext, SpillwayError } from "./errors.ts";
export type { PlannedPartition } from "./handover/plan.ts";
export type { HandBackReport, TargetReport } from "./handover/report.ts";
export type { GroupReference } from "./handover/take-over.ts";
export type { OffsetReset } from "./kafka/group-member.ts";
export type { KafkaConnection } from "./kafka/kafkajs-config.ts";
export type { Acknowledged } from "./kafka/record-producer.ts";
export type { FetchOptions } from "./kafka/source.ts";
export { type JudgeLimits, STATUSES, type Status } from "./lag/judge.ts";
export type { ReadLimits } from "./lag/options.ts";
export type { NextRecord } from "./lag/ranges-of-part.ts";
export type { CatchUp, Rate } from "./lag/rates.ts";
export type { GroupLagReport, LagReport, OpenTransactionReport, PartitionLagReport } from "./lag/report.ts";
export type { UntilDeleted } from "./lag/until-deleted.ts";
export type { Waiting } from "./lag/waiting.ts";
export { type HandBackConfig, handBack } from "./library/hand-back.ts";
export { type LagConfig, readLag, type WatchLagConfig, watchLag } from "./library/lag.ts";
export type { Common, MemberOptions } from "./library/options.ts";
export {
  type BackfillWatch,
  createProducer,
  type LiveWatch,
  type OutgoingRecord,
  type Producer,
  type ProducerConfig,
} from "./library/producer.ts";
export { createRelay, type Relay, type RelayConfig } from "./library/relay.ts";
export {
  createSink,
  type InsertModel,
  type LatestModel,
  type MapModel,
  type Sink,
  type SinkConfig,
} from "./library/sink.ts";
export { type VerifyConfig, verify } from "./library/verify.ts";
export type { Finding, Severity } from "./preflight/finding.ts";
export type { PreflightReport } from "./preflight/report.ts";
export type { BackfillOptions, PlannedRecord } from "./producer/backfill-plan.ts";
export type { LiveMessage, LivePlan } from "./producer/live.ts";
export type { Price, PriceFeedOptions } from "./producer/price-feed.ts";
export type { Origin } from "./record-batch/origin.ts";
export type { KafkaRecord } from "./record-batch/records.ts";
export type { Until } from "./relay/job.ts";
export type { Limits } from "./relay/pace.ts";
export type { JobReport } from "./relay/report.ts";
export type { Condition, KeySource, Rule, TargetTopic } from "./relay/routing.ts";
export type { Settings } from "./relay/settings.ts";
export type { RelayStatus } from "./relay/status.ts";
export type { YieldTo } from "./relay/yield-to.ts";
export type { DocumentShape } from "./sink/models/document.ts";
export type { MappedOperation } from "./sink/models/map.ts";
export { type DecodedRecord, defineModel, type Model, type PlanRecord } from "./sink/models/model.ts";
export type { Left, SinkObserver } from "./sink/observer.ts";
export type { Operation, OperationKind, PlannedOperation, Rejected, Version } from "./sink/operations.ts";
export type { OnDataError, SinkOptions, SinkRoute } from "./sink/options.ts";
export type { SinkStats } from "./sink/stats.ts";
export type { Availability, Outcome, Target } from "./sink/target.ts";
export { type MongoTargetOptions, openMongoTarget } from "./sink/targets/mongo.ts";
export type { CollectionIndex } from "./sink/targets/mongo-indexes.ts";
export { isProven, type VerifyReport } from "./verify/report.ts";
