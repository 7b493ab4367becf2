import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { builtArtifact } from "../artifacts.ts";
import { lastLines, runCommand } from "../command.ts";
import { ServiceError } from "../errors.ts";
import type { Preparation } from "../preparation.ts";
import { requireMaven } from "../prerequisites.ts";

const KAFKA_VERSION = "4.3.0";

const POM = join(import.meta.dirname, "pom.xml");
const COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

/** The folder with the jars of Kafka and its tools, fetched with Maven if it is not there yet. */
export async function kafkaJars({ reaper, log, signal }: Preparation): Promise<string> {
  return await builtArtifact(
    {
      name: `kafka-${KAFKA_VERSION}`,
      inputs: [await readFile(POM, "utf8"), COPY],
      async build(directory) {
        await requireMaven(reaper);
        log(`Fetching Kafka ${KAFKA_VERSION} with Maven, this once (some 10 s, 54 MB) …`);
        const args = ["-B", "-q", "-f", POM, COPY, "-DincludeScope=runtime", `-DoutputDirectory=${directory}`];
        const { code, stdout, stderr } = await runCommand("mvn", args, { timeoutMs: 10 * 60_000, reaper, signal });
        if (code !== 0) throw new ServiceError(`Maven did not fetch Kafka:\n${lastLines(stdout + stderr, 20)}`);
      },
    },
    signal,
  );
}
