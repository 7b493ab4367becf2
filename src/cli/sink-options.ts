import type { SinkSettings } from "../advice/facts.ts";
import type { Values } from "../config/option-table.ts";
import { required } from "../config/required.ts";
import type { Decoder } from "../decode/decoder.ts";
import { parseFieldPath } from "../sink/field-path.ts";
import type { Model } from "../sink/models/model.ts";
import { batchRecordsInForce, type SinkOptions, type SinkRoute } from "../sink/options.ts";
import type { Reading } from "../sink/reading.ts";
import type { Target } from "../sink/target.ts";
import { registryOptions } from "./registry-options.ts";

const DEFAULT_DATABASE = "spillway";

/** The options of a sink, of those of the command. */
export function sinkOptions(values: Values): SinkOptions {
  return {
    batching: values["sink.batching"],
    lanes: values["sink.lanes"],
    writers: values["sink.writers"],
    batchRecords: values["sink.batchRecords"],
    batchBytes: values["sink.batchBytes"],
    batchTimeoutMs: values["sink.batchTimeoutMs"],
    inFlightRecords: values["sink.inFlightRecords"],
    inFlightBytes: values["sink.inFlightBytes"],
    poisonBatch: values["sink.poisonBatch"],
    onDataError: values["sink.onDataError"],
    maxParkedKeys: values["sink.maxParkedKeys"],
    commitIntervalMs: values["sink.commitIntervalMs"],
    drainDeadlineMs: values["sink.drainDeadlineMs"],
    retryBackoff: { baseMs: values["sink.retryBaseMs"], maxMs: values["sink.retryMaxMs"] },
    reportIntervalMs: values["sink.reportIntervalMs"],
  };
}

/** What `/status` says of them, by the names that advice knows. */
export function settingsInForce(values: Values, { mostAtOnce }: Target): SinkSettings {
  const options = sinkOptions(values);
  const { batching, writers, batchBytes, batchTimeoutMs, ...others } = options;
  const { inFlightRecords, inFlightBytes, commitIntervalMs } = others;
  const isDynamo = values["sink.target"] === "dynamodb";
  return {
    ...{ batching, writers, batchBytes, batchTimeoutMs },
    batchRecords: batchRecordsInForce(options, mostAtOnce),
    ...{ inFlightRecords, inFlightBytes, commitIntervalMs },
    connections: values[isDynamo ? "dynamo.maxSockets" : "mongo.maxPoolSize"],
    writeTimeoutMs: values[isDynamo ? "dynamo.requestTimeoutMs" : "mongo.writeTimeoutMs"],
    fetchMinBytes: values["consumer.fetchMinBytes"],
    fetchMaxWaitMs: values["consumer.fetchMaxWaitMs"],
  };
}

export function routesOf(values: Values): readonly SinkRoute[] {
  const { "sink.topic": topic, "sink.collection": collection, "sink.routes": routes = [] } = values;
  return topic === undefined ? routes : [{ topic, collection: collection ?? topic }, ...routes];
}

export async function openTarget(values: Values): Promise<Target> {
  if (values["sink.target"] === "dynamodb") {
    const { openDynamoTarget } = await import("../sink/targets/dynamo.ts");
    return await openDynamoTarget(await dynamoOptions(values));
  }
  const { openMongoTarget } = await import("../sink/targets/mongo.ts");
  return openMongoTarget(mongoOptions(values));
}

export async function readingOf(values: Values, routes: readonly SinkRoute[], target: Target): Promise<Reading> {
  const isPlain =
    values["sink.model"] === "insert" && values["sink.document"] === "value" && values["sink.valueFormat"] === "json";
  const plain = isPlain ? (await import("../sink/reading.ts")).jsonInserts(routes, target) : undefined;
  return plain ?? { decoder: await decoderOf(values), model: await modelOf(values, routes) };
}

async function modelOf(values: Values, routes: readonly SinkRoute[]): Promise<Model> {
  const { collectionByTopic } = await import("../sink/collection-name.ts");
  const collectionOf = collectionByTopic(routes);
  const shape = values["sink.document"];
  if (values["sink.model"] === "insert") {
    const { insertModel } = await import("../sink/models/insert.ts");
    return insertModel(collectionOf, shape);
  }
  const { latestModel } = await import("../sink/models/latest.ts");
  const field = values["sink.versionField"];
  return latestModel(collectionOf, shape, field === undefined ? undefined : parseFieldPath(field));
}

/** Schema registries and their parsers take long to load, so only what is used is. */
async function decoderOf(values: Values): Promise<Decoder> {
  const { bytesDecoder, jsonDecoder, stringDecoder } = await import("../decode/decoder.ts");
  switch (values["sink.valueFormat"]) {
    case "json":
      return jsonDecoder;
    case "string":
      return stringDecoder;
    case "bytes":
      return bytesDecoder;
    case "registry": {
      const { RegistryClient } = await import("../decode/registry/client.ts");
      const { RegistryDecoder } = await import("../decode/registry/registry-decoder.ts");
      return new RegistryDecoder(new RegistryClient(registryOptions(values)));
    }
  }
}

function mongoOptions(values: Values) {
  const url = required(values, "mongo.url");
  const database = values["mongo.database"] ?? (namesDatabase(url) ? undefined : DEFAULT_DATABASE);
  return {
    url,
    database,
    indexes: values["sink.indexes"] ?? [],
    maxPoolSize: values["mongo.maxPoolSize"],
    serverSelectionTimeoutMs: values["mongo.serverSelectionTimeoutMs"],
    writeTimeoutMs: values["mongo.writeTimeoutMs"],
  };
}

async function dynamoOptions(values: Values) {
  const { isConstantName } = await import("../sink/collection-name.ts");
  const names = routesOf(values).map(({ collection }) => collection);
  return {
    tables: [...new Set(names.filter(isConstantName))],
    key: values["dynamo.key"],
    createTables: values["dynamo.createTable"],
    maxSockets: values["dynamo.maxSockets"],
    requestTimeoutMs: values["dynamo.requestTimeoutMs"],
    endpoint: values["dynamo.endpoint"],
    region: values["dynamo.region"],
  };
}

function namesDatabase(url: string): boolean {
  return /^[^/]+\/\/[^/?]+\/[^?]/.test(url);
}
