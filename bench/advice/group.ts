import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Logger } from "pino";
import { freePort, isListening } from "../../services/ports.ts";
import type { Reaper } from "../../services/reaper.ts";
import type { ServiceProcess } from "../../services/service-process.ts";
import { waitUntil } from "../../services/wait-until.ts";
import type { AdviceReport } from "../../src/advice/report.ts";
import type { KafkaOptions } from "../../src/kafka/options.ts";
import { endedByItself, startPeer } from "../peer-process.ts";
import type { MongoStore, Place, Proxies } from "../sink/stores.ts";

const START_MS = 90_000;
const ASKING_MS = 120_000;

/** What groups run on. */
export interface Ground {
  /** The command: its main module. */
  readonly cli: string;
  readonly kafka: KafkaOptions;
  readonly log: Logger;
  readonly reaper: Reaper;
  readonly store: MongoStore;
  readonly proxies: Proxies;
}

export interface GroupOptions {
  readonly topic: string;
  /** On the way to the database. */
  readonly latencyMs: number;
  readonly instances?: number;
  /** Flags: of one that is given twice, the last counts. */
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A new group of sinks, each a process of its own, that writes a topic from its beginning into a database of its own. */
export interface RunningGroup extends AsyncDisposable {
  /** Where its instances listen. */
  readonly from: readonly string[];
  readonly place: Place;
  readonly group: string;
  /** SIGKILL, to all of them. */
  readonly crash: () => Promise<void>;
}

export async function startGroup(ground: Ground, options: GroupOptions): Promise<RunningGroup> {
  const { cli, kafka, reaper, store, proxies } = ground;
  const { topic, latencyMs, instances = 1, args, env = {} } = options;
  const group = `advice-${randomUUID().slice(0, 8)}`;
  await using stack = new AsyncDisposableStack();
  const place = await store.open(group);
  stack.defer(() => place.drop());
  const url = `mongodb://${await proxies.address(latencyMs)}/?directConnection=true`;
  const from: string[] = [];
  const processes: ServiceProcess[] = [];
  for (let i = 0; i < instances; i++) {
    const port = await freePort();
    const name = `${group}-${i}`;
    const directory = join(reaper.directory, name);
    await mkdir(directory, { recursive: true });
    const process = await startPeer(reaper, {
      ...{ name, directory, command: globalThis.process.execPath },
      args: [
        ...[cli, "sink", "--brokers", kafka.brokers.join(), "--topic", topic, "--group", group],
        ...["--mongo-url", url, "--database", place.database, "--collection", place.collection],
        ...["--listen", String(port), ...args],
      ],
      env: { ...globalThis.process.env, ...env },
    });
    processes.push(process);
    stack.defer(() => process.kill("SIGTERM"));
    const isThere = async () => {
      if (!process.running) throw await endedByItself(process);
      return await isListening(port);
    };
    await waitUntil(isThere, { timeoutMs: START_MS, what: `${name} listens`, everyMs: 100 });
    from.push(`http://127.0.0.1:${port}`);
  }
  const running = stack.move();
  const crash = async () => void (await Promise.all(processes.map((process) => process.kill("SIGKILL"))));
  return { from, place, group, crash, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

/** What `spillway advise` says of a group, asked as anybody would ask it. */
export async function askAdvice(
  { cli, kafka }: Ground,
  { from }: RunningGroup,
  seconds: number,
): Promise<AdviceReport> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [
      ...[cli, "advise", "--brokers", kafka.brokers.join(), "--for", `${seconds}s`],
      ...["--from", from.join(), "--json", "-", "--log-level", "warn"],
    ],
    { timeout: ASKING_MS, maxBuffer: 16 * 1024 ** 2 },
  );
  return JSON.parse(stdout) as AdviceReport;
}

/** Its changes as flags, as it prints them. */
export function flagsOf({ changes }: AdviceReport): readonly string[] {
  return changes.flatMap(({ flag, to }) => [flag, String(to)]);
}

/** Its changes as environment, as it prints them. */
export function environmentOf({ changes }: AdviceReport): Readonly<Record<string, string>> {
  return Object.fromEntries(changes.map(({ environment, to }) => [environment, String(to)]));
}
