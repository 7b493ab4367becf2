import { join } from "node:path";
import type { Reaper } from "../services/reaper.ts";
import { Child, describe } from "../src/demo/child.ts";
import { SpillwayError } from "../src/errors.ts";

export const SPILLWAY = join(import.meta.dirname, "../src/cli/main.ts");
const STOP_GRACE_MS = 40_000;

export interface WorkerOptions {
  /** For messages: "relay". */
  readonly name: string;
  /** The arguments of `spillway`. */
  readonly args: readonly string[];
  readonly guard: Reaper;
  /** Told if it ends without having been killed or stopped. */
  readonly onFailure: (error: unknown) => void;
}

/** `spillway relay` or `sink` as a process of its own, which can be killed and started again. */
export class Worker implements AsyncDisposable {
  readonly #options: WorkerOptions;
  #child: Child | undefined;
  #generations = 0;
  #partitions = 0;

  constructor(options: WorkerOptions) {
    this.#options = options;
  }

  /** How many generations of its group it has been a member of, over all its lives. */
  get generations(): number {
    return this.#generations;
  }

  /** How many partitions it had when it joined its group last. */
  get partitions(): number {
    return this.#partitions;
  }

  start(): void {
    const { name, args, guard, onFailure } = this.#options;
    const command = [process.execPath, SPILLWAY, ...args] as const;
    const onLine = (line: string): void => this.#read(line);
    this.#child = new Child({ name, command: [...command], env: process.env, guard, onLine });
    this.#child.failed.catch(onFailure);
  }

  /** SIGKILL. Resolves when the process is gone. */
  async kill(): Promise<void> {
    const { pid } = this.#child ?? {};
    if (this.#child === undefined || pid === undefined) throw new RangeError(`the ${this.#options.name} doesn't run`);
    process.kill(pid, "SIGKILL");
    await this.#child.stop(STOP_GRACE_MS);
    this.#child = undefined;
  }

  /** SIGTERM, if it runs. @throws SpillwayError DELIVERY_FAILED if it doesn't end in order */
  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    const end = await child?.stop(STOP_GRACE_MS);
    if (child === undefined || end === undefined || end.code === 0) return;
    const message = `The ${child.name} did not stop in order but with ${describe(end)}. ${child.lastLines()}`;
    throw new SpillwayError("DELIVERY_FAILED", message);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child?.stop(STOP_GRACE_MS);
  }

  #read(line: string): void {
    if (!line.includes('"joined the group"')) return;
    const { partitions } = JSON.parse(line) as { readonly partitions: number };
    this.#generations++;
    this.#partitions = partitions;
  }
}
