import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { builtArtifact } from "../artifacts.ts";
import { lastLines, runCommand } from "../command.ts";
import { ServiceError } from "../errors.ts";
import type { Preparation } from "../preparation.ts";
import { requireMaven } from "../prerequisites.ts";

/**
 * The JMX exporter's agent, fetched with Maven if it is not there yet.
 * @param mavenArgs goal and artifact, as the compose file has them; the folder is added
 */
export async function jmxAgent(mavenArgs: readonly string[], { reaper, log, signal }: Preparation): Promise<string> {
  const directory = await builtArtifact(
    {
      name: "jmx-agent",
      inputs: mavenArgs,
      async build(target) {
        await requireMaven(reaper);
        log("Fetching the JMX exporter with Maven, this once (3 MB) …");
        const args = [...mavenArgs, `-DoutputDirectory=${target}`];
        // Not where a project is: Maven would take that one's settings.
        const options = { cwd: target, timeoutMs: 10 * 60_000, reaper, signal };
        const { code, stdout, stderr } = await runCommand("mvn", args, options);
        if (code !== 0) throw new ServiceError(`Maven did not fetch the agent:\n${lastLines(stdout + stderr, 20)}`);
      },
    },
    signal,
  );
  const [jar] = (await readdir(directory)).filter((name) => name.endsWith(".jar"));
  if (jar === undefined) throw new ServiceError(`there is no jar in ${directory}`);
  return join(directory, jar);
}
