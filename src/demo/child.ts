import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { SpillwayError } from "../errors.ts";

/** Sees to it that a process group ends with this process, even if that is killed. */
export interface GroupGuard {
  watch(processGroup: number): void;
  forget(processGroup: number): void;
}

export interface ChildOptions {
  /** For messages: "relay". */
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly env: NodeJS.ProcessEnv;
  readonly guard?: GroupGuard | undefined;
  /** Told of every line it writes. */
  readonly onLine?: (line: string) => void;
}

export interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const KEPT_LINES = 200;
const SHOWN_LINES = 15;

/** A command that runs as a process of its own until it is stopped. It is an error if it ends before. */
export class Child {
  readonly name: string;
  /** Rejects with the child's last log lines if it ends before it is stopped; never resolves. */
  readonly failed: Promise<never>;
  readonly #process: ChildProcess;
  readonly #ended: Promise<ChildEnd>;
  readonly #lines: string[] = [];
  #stopping: Promise<ChildEnd> | undefined;

  constructor({ name, command: [program, ...args], env, guard, onLine }: ChildOptions) {
    this.name = name;
    // With a guard it has a group of its own, out of reach of the terminal's Ctrl-C, and is stopped in order.
    this.#process = spawn(program, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env,
      detached: guard !== undefined,
    });
    const { pid } = this.#process;
    if (pid !== undefined) guard?.watch(pid);
    this.#ended = this.#end().finally(() => {
      if (pid !== undefined) guard?.forget(pid);
    });
    this.failed = this.#ended.then((end) => {
      if (this.#stopping !== undefined) return new Promise<never>(() => undefined);
      throw new SpillwayError("DELIVERY_FAILED", `The ${name} ended with ${describe(end)}. ${this.lastLines()}`);
    });
    // It may fail before anybody waits for it.
    this.failed.catch(() => undefined);
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on("line", (line) => {
        this.#keep(line);
        onLine?.(line);
      });
    }
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  lastLines(): string {
    const lines = this.#lines.slice(-SHOWN_LINES);
    return lines.length === 0 ? "It logged nothing." : `Its last lines:\n${lines.join("\n")}`;
  }

  /** SIGTERM; SIGKILL if that isn't heeded in time. Resolves when the process is gone. */
  stop(graceMs: number): Promise<ChildEnd> {
    this.#stopping ??= this.#stop(graceMs);
    return this.#stopping;
  }

  async #stop(graceMs: number): Promise<ChildEnd> {
    this.#process.kill("SIGTERM");
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), graceMs);
    try {
      return await this.#ended;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves when the process has ended and its output is read. */
  async #end(): Promise<ChildEnd> {
    try {
      const [code, signal] = await once(this.#process, "close");
      return { code, signal };
    } catch (cause) {
      // It could not be started at all.
      this.#keep(String(cause));
      return { code: null, signal: null };
    }
  }

  #keep(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > KEPT_LINES) this.#lines.splice(0, KEPT_LINES / 2);
  }
}

export function describe({ code, signal }: ChildEnd): string {
  if (signal !== null) return `signal ${signal}`;
  return code === null ? "no exit code" : `exit code ${code}`;
}
