import { join } from "node:path";
import { builtArtifact } from "../artifacts.ts";
import { lastLines, runCommand } from "../command.ts";
import { ServiceError } from "../errors.ts";
import type { Preparation } from "../preparation.ts";
import { requireMaven } from "../prerequisites.ts";

export const REGISTRY_VERSION = "2.6.13.Final";

const ARTIFACT = `io.apicurio:apicurio-registry-app:${REGISTRY_VERSION}:tar.gz:all`;
const UNPACK = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:unpack";

/** The registry's jar, with the jars that it needs beside it, fetched with Maven if it is not there yet. */
export async function registryJar({ reaper, log, signal }: Preparation): Promise<string> {
  const directory = await builtArtifact(
    {
      name: `registry-${REGISTRY_VERSION}`,
      inputs: [ARTIFACT, UNPACK],
      async build(target) {
        await requireMaven(reaper);
        log(`Fetching Apicurio Registry ${REGISTRY_VERSION} with Maven, this once (some 30 s, 142 MB) …`);
        const args = ["-B", "-q", UNPACK, `-Dartifact=${ARTIFACT}`, `-DoutputDirectory=${target}`];
        // Not where a project is: Maven would take that one's settings.
        const options = { cwd: target, timeoutMs: 10 * 60_000, reaper, signal };
        const { code, stdout, stderr } = await runCommand("mvn", args, options);
        if (code !== 0) throw new ServiceError(`Maven did not fetch the registry:\n${lastLines(stdout + stderr, 20)}`);
      },
    },
    signal,
  );
  return join(directory, `apicurio-registry-app-${REGISTRY_VERSION}-runner.jar`);
}
