import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { STREAMS_VERSION } from "./peers/kafka-streams.ts";

export type Versions = Readonly<Record<string, string>>;

/** @param java what the virtual machine says of itself; @param kafkaJars the broker's */
export function versionsOf(java: string, kafkaJars: string): Versions {
  return {
    spillway: packageVersion(new URL("../package.json", import.meta.url)),
    node: process.versions.node,
    kafka: jarVersion(kafkaJars, "kafka-server"),
    "kafka-streams": STREAMS_VERSION,
    java: javaVersion(java),
    kafkajs: packageVersion(import.meta.resolve("kafkajs/package.json")),
  };
}

/** Of what a virtual machine says of itself. */
export function javaVersion(java: string): string {
  return /Runtime Environment.*\(build ([^)]+)\)/.exec(java)?.[1] ?? java.trim().split("\n")[0] ?? "unknown";
}

export function packageVersion(file: string | URL): string {
  const { version }: { version: string } = JSON.parse(readFileSync(fileURLToPath(file), "utf8"));
  return version;
}

export function jarVersion(directory: string, name: string): string {
  const jar = readdirSync(directory).find(
    (file) => file.startsWith(`${name}-`) && /\d/.test(file[name.length + 1] ?? ""),
  );
  return jar?.slice(name.length + 1, -".jar".length) ?? "unknown";
}
