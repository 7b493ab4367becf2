import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { ServiceError } from "../errors.ts";
import { freePort, isListening } from "../ports.ts";
import type { Preparation } from "../preparation.ts";
import { ServiceProcess } from "../service-process.ts";
import { toxiproxyProgram } from "./build.ts";
import { createToxiproxyClient, type ToxiproxyClient } from "./client.ts";

export interface Toxiproxy {
  readonly client: ToxiproxyClient;
  readonly process: ServiceProcess;
}

export async function startToxiproxy(preparation: Preparation): Promise<Toxiproxy> {
  const { reaper, log, signal } = preparation;
  const program = await toxiproxyProgram(preparation);
  const port = await freePort();
  const process = new ServiceProcess(
    {
      name: "toxiproxy",
      command: program,
      args: ["-host", "127.0.0.1", "-port", String(port)],
      logFile: join(mkdtempSync(join(reaper.directory, "toxiproxy-")), "toxiproxy.log"),
      startTimeoutMs: 30_000,
      stopTimeoutMs: 10_000,
      async isReady(text) {
        // It goes on without its API then.
        if (text.includes("finished with error")) throw new ServiceError("it could not bind its port");
        return isListening(port);
      },
    },
    reaper,
  );
  await process.start(signal);
  log("toxiproxy has started.");
  return { client: createToxiproxyClient(`http://127.0.0.1:${port}`), process };
}
