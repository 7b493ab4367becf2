import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { artifactsDirectory } from "./artifacts.ts";
import { killGroup, lastLines } from "./command.ts";
import { PortTaken, ServiceError } from "./errors.ts";
import type { Reaper } from "./reaper.ts";
import { waitUntil } from "./wait-until.ts";

export interface ServiceSpec {
  /** For messages: 'Kafka broker 1'. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly logFile: string;
  readonly startTimeoutMs: number;
  readonly stopTimeoutMs: number;
  /** Asked again and again after the start, with what this start has logged so far. */
  isReady(log: string): boolean | Promise<boolean>;
}

/** One real service as a process group of its own, which can be killed, frozen and started again on the same data. */
export class ServiceProcess {
  readonly spec: ServiceSpec;
  readonly #reaper: Reaper;
  #child: ChildProcess | undefined;
  #logStart = 0;

  constructor(spec: ServiceSpec, reaper: Reaper) {
    this.spec = spec;
    this.#reaper = reaper;
  }

  get running(): boolean {
    return this.#child !== undefined;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new ServiceError(`${this.spec.name} is not running`);
    return pid;
  }

  /** Resolves when the service answers. */
  async start(signal?: AbortSignal): Promise<void> {
    if (this.running) throw new ServiceError(`${this.spec.name} is running already`);
    signal?.throwIfAborted();
    const child = this.#spawn();
    try {
      if (child.pid === undefined) await once(child, "spawn");
      await waitUntil(
        () => {
          if (this.#child !== child) throw new ServiceError(`it ended with ${child.signalCode ?? child.exitCode}`);
          return this.spec.isReady(this.#logOfThisStart());
        },
        { timeoutMs: this.spec.startTimeoutMs, what: "it answers", signal },
      );
    } catch (error) {
      await this.kill("SIGKILL");
      signal?.throwIfAborted();
      throw this.#startFailure(error);
    }
  }

  /** Resolves when the process is gone; one that doesn't heed the signal gets SIGKILL after the stop time-out. */
  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const child = this.#child;
    if (child?.pid === undefined) return;
    const gone = once(child, "exit");
    // Waited for: once the timer has fired, nothing else might keep this process from ending before it.
    child.ref();
    killGroup(child.pid, signal);
    // A frozen process heeds nothing but SIGKILL.
    if (signal !== "SIGKILL") killGroup(child.pid, "SIGCONT");
    const group = child.pid;
    const timer = setTimeout(() => killGroup(group, "SIGKILL"), this.spec.stopTimeoutMs);
    try {
      await gone;
    } finally {
      clearTimeout(timer);
    }
  }

  freeze(): void {
    killGroup(this.pid, "SIGSTOP");
  }

  thaw(): void {
    killGroup(this.pid, "SIGCONT");
  }

  #spawn(): ChildProcess {
    const log = openSync(this.spec.logFile, "a");
    this.#logStart = statSync(this.spec.logFile).size;
    try {
      const child = spawn(this.spec.command, [...this.spec.args], {
        stdio: ["ignore", log, log],
        detached: true,
        env: this.spec.env ?? process.env,
      });
      const group = child.pid;
      if (group === undefined) return child;
      this.#reaper.watch(group);
      this.#child = child;
      // The owner may end without stopping its services: the reaper does it then.
      child.unref();
      child.once("exit", () => {
        this.#child = undefined;
        this.#reaper.forget(group);
      });
      return child;
    } finally {
      closeSync(log);
    }
  }

  #startFailure(cause: unknown): ServiceError {
    const log = this.#logOfThisStart();
    // The service's own directory is deleted soon.
    const kept = join(artifactsDirectory(), `failed-${basename(this.spec.logFile)}`);
    writeFileSync(kept, log);
    // A service often logs a long shutdown after the reason for it.
    const complaints = log.split("\n").filter((line) => /ERROR|FATAL|Exception/.test(line));
    const Failure = /address already in use/i.test(log) ? PortTaken : ServiceError;
    const message = [
      `${this.spec.name} did not start: ${cause instanceof Error ? cause.message : String(cause)}`,
      ...complaints.slice(0, 5),
      `The end of its log, ${kept}:`,
      lastLines(log, 20),
    ];
    return new Failure(message.join("\n"), { cause });
  }

  #logOfThisStart(): string {
    return readFileSync(this.spec.logFile).subarray(this.#logStart).toString("utf8");
  }
}
