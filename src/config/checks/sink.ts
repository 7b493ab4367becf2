import { type Check, type CheckedOptions, type Finding, mustBeBelow, mustNotExceed } from "../check.ts";
import { waysToSet } from "../option-table.ts";

export const SINK_CHECKS: readonly Check[] = [
  { commands: ["sink"], kind: "problem", find: routes },
  { commands: ["sink"], kind: "problem", find: target },
  { commands: ["sink"], kind: "problem", find: sizes },
  { commands: ["sink"], kind: "problem", find: versions },
  { commands: ["sink"], kind: "warning", find: connections },
  { commands: ["sink"], kind: "warning", find: unused },
];

function routes({ command, values, isSet, name }: CheckedOptions): Finding[] {
  const { "sink.topic": topic, "sink.routes": given = [] } = values;
  const topics = [...(topic === undefined ? [] : [topic]), ...given.map((route) => route.topic)];
  const repeated = topics.filter((one, index) => topics.indexOf(one) < index);
  const hasNone = command === "sink" && !isSet("sink.topic") && !isSet("sink.routes");
  return [
    hasNone && "neither sink.topic nor sink.routes is set: say by --topic or --route what to write to the database",
    isSet("sink.collection") && !isSet("sink.topic") && `${name("sink.collection")} needs the topic, sink.topic`,
    repeated.length > 0 && `${name("sink.routes")} sends ${repeated.join(", ")} to more than one collection`,
  ];
}

function target({ command, values, isSet, name }: CheckedOptions): Finding[] {
  const kind = values["sink.target"];
  const needsUrl = command === "sink" && kind === "mongodb" && !isSet("mongo.url");
  return [
    needsUrl && `mongo.url is not set; set it by ${waysToSet("mongo.url")}, or choose another sink.target`,
    isSet("sink.indexes") && kind === "dynamodb" && `${name("sink.indexes")} is for sink.target mongodb`,
  ];
}

function unused({ values, isSet, name }: CheckedOptions): Finding[] {
  const isMongo = values["sink.target"] === "mongodb";
  const given = (["dynamo.endpoint", "dynamo.region"] as const).filter(isSet);
  return given.map((key) => isMongo && `${name(key)} means nothing to sink.target mongodb`);
}

function sizes(options: CheckedOptions): Finding[] {
  return [
    // The default gives way.
    options.isSet("sink.batchRecords") && mustNotExceed(options, "sink.batchRecords", "sink.inFlightRecords"),
    mustNotExceed(options, "sink.batchBytes", "sink.inFlightBytes"),
    mustNotExceed(options, "sink.retryBaseMs", "sink.retryMaxMs"),
    mustBeBelow(options, "sink.drainDeadlineMs", "consumer.rebalanceTimeoutMs"),
  ];
}

function versions({ values, isSet, name }: CheckedOptions): Finding[] {
  const isFor = values["sink.model"] === "latest";
  return [
    isSet("sink.versionField") && !isFor && `${name("sink.versionField")} is for model latest: set sink.model too`,
  ];
}

function connections(options: CheckedOptions): Finding[] {
  const isDynamo = options.values["sink.target"] === "dynamodb";
  return [
    mustNotExceed(options, "sink.writers", isDynamo ? "dynamo.maxSockets" : "mongo.maxPoolSize"),
    mustNotExceed(options, "sink.writers", "sink.lanes"),
  ];
}
