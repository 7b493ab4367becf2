import { jarVersion, javaVersion, packageVersion, type Versions } from "../versions.ts";
import { CONNECT_VERSION, CONNECTOR_VERSION } from "./peers/mongo-kafka-connect.ts";

/** @param java what the virtual machine says of itself; @param kafkaJars the broker's */
export function sinkVersions(java: string, kafkaJars: string): Versions {
  return {
    spillway: packageVersion(new URL("../../package.json", import.meta.url)),
    node: process.versions.node,
    mongodb: packageVersion(import.meta.resolve("mongodb/package.json")),
    kafka: jarVersion(kafkaJars, "kafka-server"),
    "kafka-connect": CONNECT_VERSION,
    "mongo-kafka-connect": CONNECTOR_VERSION,
    java: javaVersion(java),
    kafkajs: packageVersion(import.meta.resolve("kafkajs/package.json")),
  };
}
