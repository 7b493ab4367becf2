import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { builtArtifact } from "../../services/artifacts.ts";
import { javaProgram, requireJava } from "../../services/prerequisites.ts";
import type { Reaper } from "../../services/reaper.ts";
import type { Guarantee } from "../result.ts";
import { FETCHING, fetchJars, runOrThrow } from "./maven.ts";
import type { Command, Job, Peer, Variant } from "./peer.ts";

export const STREAMS_VERSION = "4.3.0";

const POM = join(import.meta.dirname, "../java/pom.xml");
const SOURCE = join(import.meta.dirname, "../java/StreamsRelay.java");

const JVM = ["-Xms512m", "-Xmx512m", "-XX:+UseParallelGC"];

/** What the program needs to run: a folder of classes and jars. */
export interface StreamsProgram {
  readonly classes: string;
  /** What the virtual machine says of itself. */
  readonly java: string;
}

export async function kafkaStreams(
  reaper: Reaper,
  signal: AbortSignal,
  log: (line: string) => void,
): Promise<{ readonly peers: readonly Peer[]; readonly java: string }> {
  const { classes, java } = await streamsProgram(reaper, signal, log);
  const peer = (guarantee: Guarantee): Peer => ({
    name: "kafka-streams",
    guarantee,
    warmup: "jvm",
    variants: [variant(1, guarantee, classes), variant(2, guarantee, classes)],
  });
  return { peers: [peer("at-least-once"), peer("exactly-once")], java };
}

/** The program is compiled beforehand: as a source file it would be run by a machine that holds a compiler, too. */
export async function streamsProgram(
  reaper: Reaper,
  signal: AbortSignal,
  log: (line: string) => void,
): Promise<StreamsProgram> {
  const java = await requireJava(reaper);
  const classes = await builtArtifact(
    {
      name: `kafka-streams-relay-${STREAMS_VERSION}`,
      inputs: [await readFile(POM, "utf8"), await readFile(SOURCE, "utf8"), java, FETCHING],
      async build(directory) {
        log(`Fetching Kafka Streams ${STREAMS_VERSION} with Maven, this once (some 10 s, 92 MB) …`);
        await fetchJars(POM, directory, reaper, signal);
        const javac = javaProgram().replace(/java$/, "javac");
        await runOrThrow(javac, ["-cp", join(directory, "*"), "-d", directory, SOURCE], reaper, signal);
      },
    },
    signal,
  );
  return { classes, java };
}

function variant(threads: number, guarantee: Guarantee, classes: string): Variant {
  const settings = ({ codec }: Pick<Job, "codec">) => ({
    "num.stream.threads": String(threads),
    "processing.guarantee": guarantee === "exactly-once" ? "exactly_once_v2" : "at_least_once",
    "producer.compression.type": codec,
    // The level that Spillway uses; Kafka's own default is 3, which costs Streams more.
    ...(codec === "zstd" ? { "producer.compression.zstd.level": "1" } : {}),
    ...TUNING,
  });
  return {
    name: `${threads} thread${threads === 1 ? "" : "s"}`,
    settings: (job) => ({ ...settings(job), JVM: JVM.join(" ") }),
    command: (job) => streamsCommand(classes, settings(job), job),
  };
}

/** Runs the program with these settings of StreamsConfig, beside those of the job. */
export async function streamsCommand(
  classes: string,
  settings: Readonly<Record<string, string>>,
  { brokers, source, target, group, directory }: Pick<Job, "brokers" | "source" | "target" | "group" | "directory">,
): Promise<Command> {
  const all = {
    ...settings,
    "bootstrap.servers": brokers.join(),
    "application.id": group,
    "state.dir": join(directory, "state"),
  };
  const file = join(directory, "streams.properties");
  await writeFile(
    file,
    Object.entries(all)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(""),
  );
  const classPath = `${classes}:${join(classes, "*")}`;
  return { command: javaProgram(), args: [...JVM, "-cp", classPath, "StreamsRelay", file, source, target] };
}

/** Larger batches, fetches and polls than the defaults. */
const TUNING = {
  "producer.acks": "all",
  "producer.batch.size": "131072",
  "producer.linger.ms": "100",
  "producer.buffer.memory": "67108864",
  "consumer.auto.offset.reset": "earliest",
  "consumer.max.poll.records": "10000",
  "consumer.max.partition.fetch.bytes": "4194304",
  "consumer.fetch.max.bytes": "16777216",
  "buffered.records.per.partition": "20000",
  "metrics.recording.level": "INFO",
};
