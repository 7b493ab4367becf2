import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { artifactsDirectory, withLock } from "../artifacts.ts";
import { ServiceError } from "../errors.ts";
import { startServices } from "../services.ts";
import { waitUntil } from "../wait-until.ts";
import { keeperMessage } from "./messages.ts";
import { askToStop, findRunning, type Running } from "./running.ts";

type Print = (line: string) => void;

export interface ByHandOptions {
  readonly print: Print;
  /** Where what runs is written down; beside the services' programs unless told. */
  readonly directory?: string;
}

export interface UpOptions extends ByHandOptions {
  readonly brokers?: 1 | 3;
  /** A schema registry too. */
  readonly registry?: boolean;
  /** Leaves the services in the background (unless told). Otherwise they run until the signal stops them. */
  readonly detach?: boolean;
  readonly signal?: AbortSignal;
}

/** Starts Kafka, a database and toxiproxy, or finds that they run already, and prints their addresses. */
export async function up(options: UpOptions): Promise<void> {
  if (options.detach === false) return await upUntilAborted(options);
  const { print, directory = artifactsDirectory(), signal } = options;
  await mkdir(directory, { recursive: true });
  await withLock(join(directory, "running.lock"), signal, async () => {
    const found = await findRunning(directory);
    if (found !== undefined) {
      const lacks = options.registry === true && found.registryUrl === undefined;
      print(`The services run already${lacks ? ", without a schema registry: stop them first to have one" : ""}.`);
      return printAddresses(found, print);
    }
    await startKeeper(directory, options);
    const running = await findRunning(directory);
    if (running === undefined) throw new ServiceError("the services ended as soon as they had started");
    printAddresses(running, print);
  });
}

/** Stops what `up` started, and waits until it is gone. */
export async function down({ print, directory = artifactsDirectory() }: ByHandOptions): Promise<void> {
  const running = await findRunning(directory);
  if (running === undefined) {
    print("No services run.");
    return;
  }
  const isStopped = await askToStop(running);
  const what = `the services' keeper, process ${running.pid}, is gone`;
  await waitUntil(async () => (await findRunning(directory)) === undefined, { timeoutMs: 30_000, what });
  if (!isStopped) throw new ServiceError(`the services did not stop in order; their keeper was process ${running.pid}`);
  print("The services have stopped.");
}

export async function status({ print, directory = artifactsDirectory() }: ByHandOptions): Promise<void> {
  const running = await findRunning(directory);
  if (running === undefined) print("No services run.");
  else printAddresses(running, print);
}

async function startKeeper(directory: string, options: UpOptions): Promise<void> {
  const { brokers = 1, registry = false, print, signal } = options;
  await using log = await open(join(directory, "keeper.log"), "w");
  const args = [directory, String(brokers), registry ? "registry" : ""];
  const keeper = spawn(process.execPath, [join(import.meta.dirname, KEEPER), ...args], {
    detached: true,
    stdio: ["ignore", log.fd, log.fd, "ipc"],
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  keeper.on("message", (raw) => {
    const message = keeperMessage.parse(raw);
    if (message.kind === "progress") print(message.line);
    else if (message.kind === "ready") resolve();
    else reject(new ServiceError(message.message));
  });
  keeper.once("error", reject);
  keeper.once("exit", (code) => reject(new ServiceError(`the services' keeper ended with ${code}; see keeper.log`)));
  const interrupt = (): void => keeper.disconnect();
  signal?.addEventListener("abort", interrupt, { once: true });
  try {
    await promise;
  } finally {
    signal?.removeEventListener("abort", interrupt);
    if (keeper.connected) keeper.disconnect();
    keeper.unref();
  }
}

/** The same suffix as this file's: .ts from the sources, .js when compiled. */
const KEEPER = import.meta.filename.endsWith(".ts") ? "keeper.ts" : "keeper.js";

async function upUntilAborted({ print, brokers = 1, registry = false, signal }: UpOptions): Promise<void> {
  if (signal === undefined) throw new TypeError("services in the foreground need a signal that stops them");
  await using services = await startServices({
    kafka: { brokers },
    mongo: true,
    toxiproxy: true,
    registry,
    own: true,
    log: print,
    signal,
  });
  const { brokers: addresses, mongoUrl, database, toxiproxy } = services;
  const registryUrl = registry ? services.registryUrl : undefined;
  printAddresses({ brokers: addresses, mongoUrl, database, toxiproxy: toxiproxy.url, registryUrl }, print);
  // Neither the services nor a signal keep this process alive.
  const alive = setInterval(() => undefined, 2 ** 30);
  if (!signal.aborted) await once(signal, "abort");
  clearInterval(alive);
}

type Addresses = Readonly<Pick<Running, "mongoUrl" | "database" | "toxiproxy" | "registryUrl">> & {
  readonly brokers: readonly string[];
};

function printAddresses({ brokers, mongoUrl, database, toxiproxy, registryUrl }: Addresses, print: Print): void {
  print(`Kafka: ${brokers.join(", ")}`);
  print(`Database: ${mongoUrl} (${database})`);
  print(`toxiproxy: ${toxiproxy}`);
  if (registryUrl !== undefined) print(`Schema registry: ${registryUrl}`);
  print("To use them in this shell:");
  const ofRegistry = registryUrl === undefined ? "" : ` SPILLWAY_REGISTRY_URL='${registryUrl}'`;
  print(`export SPILLWAY_BROKERS=${brokers.join(",")} SPILLWAY_MONGO_URL='${mongoUrl}'${ofRegistry}`);
}
