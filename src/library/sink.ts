import { DEAD_LETTER_SUFFIX } from "../dead-letter/dead-letter.ts";
import { type Decoder, jsonDecoder } from "../decode/decoder.ts";
import { kafkaOptionsOf, logOf } from "../kafka/kafkajs-config.ts";
import type { FetchOptions } from "../kafka/source.ts";
import { Running } from "../runtime/running.ts";
import { withoutUndefined } from "../runtime/without-undefined.ts";
import { assembleSink } from "../sink/assemble.ts";
import { collectionByTopic } from "../sink/collection-name.ts";
import { parseFieldPath } from "../sink/field-path.ts";
import type { DocumentShape } from "../sink/models/document.ts";
import { insertModel } from "../sink/models/insert.ts";
import { latestModel } from "../sink/models/latest.ts";
import { type MappedOperation, mapModel } from "../sink/models/map.ts";
import type { DecodedRecord, Model } from "../sink/models/model.ts";
import type { SinkObserver } from "../sink/observer.ts";
import { SINK_DEFAULTS, type SinkOptions, type SinkRoute, sinkGroupOf } from "../sink/options.ts";
import { jsonInserts, type Reading } from "../sink/reading.ts";
import { newSinkStats, type SinkStats } from "../sink/stats.ts";
import type { Target } from "../sink/target.ts";
import { checkGiven, fetchGiven, inSection } from "./given.ts";
import { type Common, type MemberOptions, memberOf } from "./options.ts";

/** A document for each record, its `_id` the record's origin. */
export interface InsertModel {
  readonly kind: "insert";
  /** `value` unless told: what of a record the document holds. */
  readonly document?: DocumentShape;
}

/** A document for each key, never replaced by an older state. */
export interface LatestModel {
  readonly kind: "latest";
  readonly document?: DocumentShape;
  /** A field of the values, such as `updated.at`, that says what is newer; offsets of the same origin do unless told. */
  readonly versionField?: string;
}

/** Whatever an application makes of a record: see `mapModel` for what holds when records come again. */
export interface MapModel {
  readonly kind: "map";
  /** Called once for a record, again after a crash. What it throws is the record's fault: a dead letter. */
  readonly map: (record: DecodedRecord) => readonly MappedOperation[];
  /** What it makes, for targets that can't do all: insert, update and delete unless told. */
  readonly kinds?: readonly MappedOperation["kind"][];
}

/** What a sink is told; what is left out is as `spillway sink` has it. */
export interface SinkConfig extends Common, Partial<SinkOptions> {
  /** Each topic and the collection for its records. */
  readonly routes: readonly SinkRoute[];
  /** The database. It is not closed with the sink: whoever opened it does that afterwards. */
  readonly target: Target;
  /** What is written for a record: `insert` unless told. A `Model` of one's own is one that `defineModel` made. */
  readonly model?: InsertModel | LatestModel | MapModel | Model;
  /** Bytes to values: JSON unless told. */
  readonly decoder?: Decoder;
  /** The consumer group: `spillway-sink-<topics>` unless told. */
  readonly group?: string;
  readonly consumer?: MemberOptions;
  readonly fetch?: Partial<FetchOptions>;
  /** Behind a topic's name it makes that of the topic for its dead letters: `.dead-letter` unless told. */
  readonly deadLetterSuffix?: string;
  /** Is told of each write, for histograms. */
  readonly observer?: SinkObserver;
}

/** One instance of a sink. It closes itself when it has ended; leaving the scope of `await using` stops it in order. */
export interface Sink extends AsyncDisposable {
  /**
   * Writes until the signal is aborted or `stop` is called; resolves once what was read is written and committed, as far
   * as that goes within `drainDeadlineMs`, and the group is left. Starts once.
   * @throws SpillwayError TOPIC_MISSING, OFFSET_OUT_OF_RANGE, BATCH_CORRUPT, DATABASE_REFUSED, REGISTRY_REFUSED,
   *   DATA_ERROR (told to stop at one), TOO_MANY_PARKED_KEYS, NOT_AUTHORIZED, AUTHENTICATION_FAILED, BROKER_UNREACHABLE (at
   *   the start only: later on brokers and database are waited for), FENCED, CONFIG_INVALID
   */
  run(): Promise<void>;
  /** Stops it in order; resolves once `run` has. */
  stop(): Promise<void>;
  /** What it has done so far. */
  readonly stats: Readonly<SinkStats>;
}

/**
 * A sink from topics into collections of a database.
 *
 * Guarantee: at least once, made effectively once by ids of the records' origin; in the order of each key; an offset is
 * committed after its record is acknowledged by the database, or by the dead-letter topic. Nothing is opened before `run`,
 * nothing is left open after it, and no signal handler, environment variable or exit of the process is involved.
 * @throws SpillwayError CONFIG_INVALID, which names every problem of the options
 */
export function createSink(config: SinkConfig): Sink {
  const { kafka, signal, routes, consumer, fetch = {}, target, observer } = config;
  const { retryBackoff, deadLetterSuffix = DEAD_LETTER_SUFFIX } = config;
  checkGiven({
    ...inSection("sink", { ...config, target: undefined, model: undefined }),
    "sink.routes": routes,
    "sink.retryBaseMs": retryBackoff?.baseMs,
    "sink.retryMaxMs": retryBackoff?.maxMs,
    ...inSection("consumer", consumer),
    ...fetchGiven(fetch),
  });
  const stats = newSinkStats();
  const setup = {
    kafka: kafkaOptionsOf(kafka),
    topics: routes.map(({ topic }) => topic),
    group: memberOf(config.group ?? sinkGroupOf(routes), consumer),
    ...{ fetch, deadLetterSuffix, target, stats },
    ...readingOf(config),
    ...(observer === undefined ? {} : { observer }),
    log: logOf(kafka, config.log),
  };
  const options = { ...SINK_DEFAULTS, ...optionsAmong(config) };
  const running = new Running((stop) => assembleSink({ ...setup, signal: stop }, options), signal);
  return {
    run: () => running.run(),
    stop: () => running.stop(),
    stats,
    [Symbol.asyncDispose]: () => running.stop(),
  };
}

function readingOf(config: SinkConfig): Reading {
  const { decoder, routes, model = { kind: "insert" }, target } = config;
  const isPlain =
    decoder === undefined && typeof model === "object" && model.kind === "insert" && model.document !== "envelope";
  const plain = isPlain ? jsonInserts(routes, target) : undefined;
  return plain ?? { decoder: decoder ?? jsonDecoder, model: modelOf(config) };
}

function modelOf({ routes, model = { kind: "insert" } }: SinkConfig): Model {
  if (typeof model === "function") return model;
  const collectionOf = collectionByTopic(routes);
  switch (model.kind) {
    case "insert":
      return insertModel(collectionOf, model.document ?? "value");
    case "latest":
      return latestModel(
        collectionOf,
        model.document ?? "value",
        model.versionField === undefined ? undefined : parseFieldPath(model.versionField),
      );
    case "map":
      return mapModel(collectionOf, model.map, model.kinds);
  }
}

/** Those of the sink itself, and nothing that has a part's name. */
function optionsAmong(config: SinkConfig): Partial<SinkOptions> {
  const given = Object.entries(withoutUndefined(config)).filter(([name]) => Object.hasOwn(SINK_DEFAULTS, name));
  return Object.fromEntries(given);
}
