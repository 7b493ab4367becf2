import { mkdtempSync } from "node:fs";
import { dirname, join } from "node:path";
import { freePort } from "../ports.ts";
import type { Preparation } from "../preparation.ts";
import { ServiceProcess } from "../service-process.ts";
import { PROMETHEUS_VERSION, prometheusPrograms } from "./build.ts";

export interface Prometheus {
  readonly url: string;
  readonly process: ServiceProcess;
}

/** @param configFile its own configuration; rule files in it are named from where it lies */
export async function startPrometheus(configFile: string, preparation: Preparation): Promise<Prometheus> {
  const { reaper, log, signal } = preparation;
  const { prometheus } = await prometheusPrograms(preparation);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const directory = mkdtempSync(join(reaper.directory, "prometheus-"));
  const process = new ServiceProcess(
    {
      name: "Prometheus",
      command: prometheus,
      args: [
        `--config.file=${configFile}`,
        `--storage.tsdb.path=${join(directory, "data")}`,
        `--web.listen-address=127.0.0.1:${port}`,
        // There is no web interface in it to look for.
        `--web.console.templates=${dirname(configFile)}`,
        `--web.console.libraries=${dirname(configFile)}`,
      ],
      logFile: join(directory, "prometheus.log"),
      startTimeoutMs: 60_000,
      stopTimeoutMs: 20_000,
      isReady: async () => await isReady(url),
    },
    reaper,
  );
  await process.start(signal);
  log(`Prometheus ${PROMETHEUS_VERSION} has started.`);
  return { url, process };
}

async function isReady(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/-/ready`, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
  await answer?.body?.cancel();
  return answer?.ok ?? false;
}
