import { type Check, type CheckedOptions, type Finding, mustBeBelow, mustNotExceed } from "../check.ts";

export const SINK_CHECKS: readonly Check[] = [
  { commands: ["sink"], kind: "problem", find: routes },
  { commands: ["sink"], kind: "problem", find: sizes },
  { commands: ["sink"], kind: "problem", find: versions },
  { commands: ["sink"], kind: "warning", find: connections },
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

function sizes(options: CheckedOptions): Finding[] {
  return [
    mustNotExceed(options, "sink.batchRecords", "sink.inFlightRecords"),
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
  return [mustNotExceed(options, "sink.lanes", "mongo.maxPoolSize")];
}
