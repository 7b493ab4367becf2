import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { lastLines } from "../services/command.ts";
import type { Reaper } from "../services/reaper.ts";
import { ServiceProcess } from "../services/service-process.ts";
import type { Command } from "./peers/peer.ts";

const STOP_MS = 30_000;

export interface PeerProcess extends Command {
  readonly name: string;
  /** For its log. */
  readonly directory: string;
}

/** Starts a peer as a process of its own. That it does its work is awaited from outside. */
export async function startPeer(
  reaper: Reaper,
  { name, directory, command, args, env }: PeerProcess,
): Promise<ServiceProcess> {
  const process = new ServiceProcess(
    {
      name,
      command,
      args,
      ...(env === undefined ? {} : { env }),
      logFile: join(directory, "log"),
      startTimeoutMs: 10_000,
      stopTimeoutMs: STOP_MS,
      isReady: () => true,
    },
    reaper,
  );
  await process.start();
  return process;
}

/** What to throw when it has. */
export async function endedByItself({ spec: { name, logFile } }: ServiceProcess): Promise<Error> {
  const log = await readFile(logFile, "utf8").catch(() => "");
  return new Error(`${name} ended by itself:\n${lastLines(log, 20)}`);
}
