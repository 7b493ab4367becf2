import { existsSync } from "node:fs";
import { join } from "node:path";
import { builtArtifact } from "../artifacts.ts";
import type { Preparation } from "../preparation.ts";
import { requireJava } from "../prerequisites.ts";
import { createBroker, nodeAddresses } from "./broker.ts";
import { kafkaJars } from "./jars.ts";
import type { JavaClasses } from "./java.ts";

/** All that a Java program of Kafka's needs to run. */
export async function kafkaClasses(preparation: Preparation): Promise<JavaClasses> {
  const version = await requireJava(preparation.reaper);
  const jars = await kafkaJars(preparation);
  return { jars, archive: await classArchive(jars, version, preparation) };
}

/**
 * The classes of one trial run, parsed and linked as the virtual machine keeps them: a broker then starts in about
 * 60 % of the time and the tools in about 70 %. Without it everything works just the same.
 */
async function classArchive(
  jars: string,
  javaVersion: string,
  { reaper, log, signal }: Preparation,
): Promise<string | undefined> {
  const directory = await builtArtifact(
    {
      name: "kafka-classes",
      // Of no use to another Java, nor for jars elsewhere.
      inputs: [jars, javaVersion],
      async build(target) {
        log("Trying Kafka out, this once, so that it starts faster from now on (some 15 s) …");
        const [node] = await nodeAddresses(1);
        if (node === undefined) return;
        const broker = await createBroker({
          node,
          nodes: [node],
          clusterId: "AAAAAAAAAAAAAAAAAAAAAA",
          config: {},
          features: {},
          classes: { jars, archive: undefined },
          jvm: ["-Xmx512m", `-XX:ArchiveClassesAtExit=${join(target, ARCHIVE)}`],
          reaper,
        });
        await broker.start(signal);
        await broker.kill("SIGTERM");
      },
    },
    signal,
  );
  const archive = join(directory, ARCHIVE);
  return existsSync(archive) ? archive : undefined;
}

const ARCHIVE = "kafka.jsa";
