import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../ports.ts";
import type { Preparation } from "../preparation.ts";
import { javaProgram, requireJava } from "../prerequisites.ts";
import { ServiceProcess } from "../service-process.ts";
import { REGISTRY_VERSION, registryJar } from "./build.ts";

export interface Registry {
  /** Of the API that is Confluent's. */
  readonly url: string;
  readonly process: ServiceProcess;
}

/** A schema registry, on this machine's loopback only. Schemas lie in a file, so they are there after a kill. */
export async function startRegistry(preparation: Preparation): Promise<Registry> {
  const { reaper, log, signal } = preparation;
  await requireJava(reaper);
  const jar = await registryJar(preparation);
  const port = await freePort();
  const directory = mkdtempSync(join(reaper.directory, "registry-"));
  const url = `http://127.0.0.1:${port}/apis/ccompat/v7`;
  const process = new ServiceProcess(
    {
      name: "schema registry",
      command: javaProgram(),
      args: [
        "-Xmx256m",
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "-XX:-UsePerfData",
        `-Djava.io.tmpdir=${directory}`,
        "-Dquarkus.http.host=127.0.0.1",
        `-Dquarkus.http.port=${port}`,
        // Written when they are acknowledged: H2 has up to half a second by default.
        `-Dquarkus.datasource.jdbc.url=jdbc:h2:file:${join(directory, "schemas")};WRITE_DELAY=0`,
        "-jar",
        jar,
      ],
      logFile: join(directory, "registry.log"),
      startTimeoutMs: 120_000,
      stopTimeoutMs: 15_000,
      isReady: () => answers(`${url}/subjects`),
    },
    reaper,
  );
  await process.start(signal);
  log(`Apicurio Registry ${REGISTRY_VERSION} has started.`);
  return { url, process };
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}
