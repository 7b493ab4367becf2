import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { processEnvironment } from "../config/environment.ts";
import { SpillwayError } from "../errors.ts";
import { PACKAGE_ROOT } from "./checkout.ts";

export interface DockerOptions {
  readonly print: (line: string) => void;
  readonly signal: AbortSignal;
  /** The demo's unless told. */
  readonly project?: string;
  /** Services to start beside Kafka and the database, and the environment for all of the file. */
  readonly beside?: { readonly services: readonly string[]; readonly env: Readonly<Record<string, string>> };
}

/** Kafka and a MongoDB in containers, published on this machine. */
export interface DockerServices {
  readonly brokers: readonly string[];
  readonly mongoUrl: string;
  /** Removes the containers and their data. */
  stop(): Promise<void>;
  /** How to do that by hand. */
  readonly stopHint: string;
}

/** A project of its own: `down --volumes` must not take the containers and data of somebody's `docker compose up`. */
const PROJECT = "spillway-demo";
const FILE = ["--file", join(PACKAGE_ROOT, "docker-compose.yml")];

const ANSWER_MS = 10_000;
/** Images are fetched the first time. */
const UP_MS = 15 * 60_000;
const DOWN_MS = 120_000;

/**
 * Starts the compose file's Kafka and database and waits until they are healthy.
 * @throws SpillwayError PREREQUISITE_MISSING if there is no Docker engine, or no Compose
 */
export async function startDockerServices(options: DockerOptions): Promise<DockerServices> {
  const { print, signal, project = PROJECT, beside = { services: [], env: {} } } = options;
  await requireDocker(signal);
  const [kafkaPort, mongoPort] = [await freePort(), await freePort()];
  const ports = { KAFKA_PORT: String(kafkaPort), MONGO_PORT: String(mongoPort) };
  const env = { ...processEnvironment(), ...beside.env, ...ports };
  const compose = ["compose", "--project-name", project, ...FILE];
  const services = ["kafka", "mongo", ...beside.services];
  const stop = async (): Promise<void> => {
    print("Removing the containers and their data …");
    await requireSuccess([...compose, "down", "--volumes"], { env, timeoutMs: DOWN_MS });
  };
  print("Starting Kafka and MongoDB by Docker Compose …");
  try {
    await requireSuccess([...compose, "up", "--detach", "--wait", ...services], { env, signal, timeoutMs: UP_MS });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    brokers: [`localhost:${kafkaPort}`],
    mongoUrl: `mongodb://localhost:${mongoPort}/`,
    stop,
    stopHint: `docker compose --project-name ${project} down --volumes stops them.`,
  };
}

async function requireDocker(signal: AbortSignal): Promise<void> {
  const engine = await docker(["info", "--format", "{{.ServerVersion}}"], { signal, timeoutMs: ANSWER_MS });
  if (engine.kind === "missing") throw missing("there is no program docker");
  if (engine.kind === "late") throw missing(`the Docker engine did not answer within ${ANSWER_MS / 1000} s`);
  if (engine.code !== 0) throw missing(`no Docker engine answers (${lastLine(engine.output)})`);
  const compose = await docker(["compose", "version"], { signal, timeoutMs: ANSWER_MS });
  if (compose.kind !== "ended" || compose.code !== 0) throw missing("docker has no command compose");
}

function missing(found: string): SpillwayError {
  return new SpillwayError("PREREQUISITE_MISSING", `Docker is needed for --docker, but ${found}`, {
    context: {
      hint: "Start Docker Engine or Desktop with Compose 2, or run the demo without --docker (it takes Java and Go)",
    },
  });
}

async function requireSuccess(args: readonly string[], options: RunOptions): Promise<void> {
  const end = await docker(args, options);
  if (end.kind === "ended" && end.code === 0) return;
  const reason = end.kind === "ended" ? `ended with ${end.code}:\n${end.output.trim()}` : `${end.kind}`;
  throw new SpillwayError("PREREQUISITE_MISSING", `docker ${args.join(" ")} ${reason}`);
}

interface RunOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  readonly env?: NodeJS.ProcessEnv;
}

type End =
  | { readonly kind: "ended"; readonly code: number | null; readonly output: string }
  | { readonly kind: "missing" }
  | { readonly kind: "late" };

/** @throws the signal's reason */
async function docker(args: readonly string[], { timeoutMs, signal, env }: RunOptions): Promise<End> {
  signal?.throwIfAborted();
  // A group of its own: Ctrl-C in the terminal is ours to pass on.
  const child = spawn("docker", args, {
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
    env: env ?? processEnvironment(),
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const late = AbortSignal.timeout(timeoutMs);
  const kill = (): void => {
    // Compose is a plugin, a process of its own.
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGTERM");
  };
  const stop = signal === undefined ? late : AbortSignal.any([signal, late]);
  stop.addEventListener("abort", kill, { once: true });
  try {
    const [code] = await once(child, "close");
    signal?.throwIfAborted();
    return late.aborted ? { kind: "late" } : { kind: "ended", code: code as number | null, output };
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return { kind: "missing" };
    throw error;
  } finally {
    stop.removeEventListener("abort", kill);
  }
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new TypeError("a TCP server has no port");
  return address.port;
}
