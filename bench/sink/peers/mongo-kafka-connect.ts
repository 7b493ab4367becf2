import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { builtArtifact } from "../../../services/artifacts.ts";
import { freePort } from "../../../services/ports.ts";
import { javaProgram, requireJava } from "../../../services/prerequisites.ts";
import type { Reaper } from "../../../services/reaper.ts";
import { FETCHING, fetchJars } from "../../peers/maven.ts";
import type { Command } from "../../peers/peer.ts";
import type { ModelName } from "../result.ts";
import type { SinkJob, SinkPeer } from "./peer.ts";

export const CONNECTOR_VERSION = "2.0.1";
export const CONNECT_VERSION = "4.1.1";

const POM = join(import.meta.dirname, "../../java/connect.xml");
const CONNECTOR_JAR = `mongo-kafka-connect-${CONNECTOR_VERSION}-all.jar`;
const PLUGINS = "plugins";
const JVM = ["-Xms512m", "-Xmx512m", "-XX:+UseParallelGC"];

/** Connect's standalone worker with MongoDB's connector, fetched the first time. */
export async function mongoKafkaConnect(
  reaper: Reaper,
  signal: AbortSignal,
  log: (line: string) => void,
): Promise<{ readonly peer: SinkPeer; readonly java: string }> {
  const java = await requireJava(reaper);
  const jars = await builtArtifact(
    {
      name: `mongo-kafka-connect-${CONNECTOR_VERSION}`,
      inputs: [await readFile(POM, "utf8"), FETCHING],
      async build(directory) {
        log(`Fetching Kafka Connect and MongoDB's connector with Maven, this once (some 10 s, 41 MB) …`);
        await fetchJars(POM, directory, reaper, signal);
        // A plugin has a folder and a class loader of its own.
        await mkdir(join(directory, PLUGINS));
        await rename(join(directory, CONNECTOR_JAR), join(directory, PLUGINS, CONNECTOR_JAR));
      },
    },
    signal,
  );
  const peer: SinkPeer = {
    name: "mongo-kafka-connect",
    warmup: "jvm",
    settings: (job) => ({ ...CONNECTOR, ...MODEL[job.model], ...WORKER, JVM: JVM.join(" ") }),
    command: (job) => standalone(jars, job),
  };
  return { peer, java };
}

async function standalone(jars: string, job: SinkJob): Promise<Command> {
  const { brokers, topic, group, url, database, collection, directory, model } = job;
  const worker = {
    ...WORKER,
    "bootstrap.servers": brokers.join(),
    "plugin.path": join(jars, PLUGINS),
    "offset.storage.file.filename": join(directory, "offsets"),
    listeners: `http://127.0.0.1:${await freePort()}`,
  };
  const connector = {
    ...CONNECTOR,
    ...MODEL[model],
    name: group,
    topics: topic,
    "consumer.override.group.id": group,
    "connection.uri": url,
    database,
    collection,
  };
  const files = [join(directory, "worker.properties"), join(directory, "connector.properties")];
  for (const [i, properties] of [worker, connector].entries()) {
    const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}\n`);
    await writeFile(files[i] ?? "", lines.join(""));
  }
  const quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn";
  const main = "org.apache.kafka.connect.cli.ConnectStandalone";
  return { command: javaProgram(), args: [...JVM, quiet, "-cp", join(jars, "*"), main, ...files] };
}

const WORKER = {
  "key.converter": "org.apache.kafka.connect.storage.StringConverter",
  "value.converter": "org.apache.kafka.connect.storage.StringConverter",
  "offset.flush.interval.ms": "1000",
};

/** Each put writes all of a poll at once, and a poll is as large as did best here. */
const CONNECTOR = {
  // With one for each of 24 partitions it spent its time on collecting garbage in a heap of 512 MB: 249 documents a second.
  "tasks.max": "3",
  "connector.class": "com.mongodb.kafka.connect.MongoSinkConnector",
  "max.batch.size": "0",
  "bulk.write.ordered": "false",
  "consumer.override.auto.offset.reset": "earliest",
  "consumer.override.max.partition.fetch.bytes": "4194304",
  "consumer.override.fetch.max.bytes": "16777216",
};

const STRATEGIES = "com.mongodb.kafka.connect.sink";

const MODEL: Readonly<Record<ModelName, Readonly<Record<string, string>>>> = {
  // As Spillway's: the _id is the record's place, and a record that comes twice finds itself there.
  insert: {
    "consumer.override.max.poll.records": "5000",
    "document.id.strategy": `${STRATEGIES}.processor.id.strategy.KafkaMetaDataStrategy`,
    "writemodel.strategy": `${STRATEGIES}.writemodel.strategy.InsertOneDefaultStrategy`,
  },
  // An upsert by _id, the key: the cheapest that keeps one document for each. Nothing keeps an older one from winning.
  latest: {
    // Kafka's default: upserts are slow, so larger polls gain nothing, and would be committed too seldom to be counted.
    "consumer.override.max.poll.records": "500",
    "document.id.strategy": `${STRATEGIES}.processor.id.strategy.ProvidedInKeyStrategy`,
    "writemodel.strategy": `${STRATEGIES}.writemodel.strategy.ReplaceOneDefaultStrategy`,
    transforms: "id",
    "transforms.id.type": "org.apache.kafka.connect.transforms.HoistField$Key",
    "transforms.id.field": "_id",
  },
};
