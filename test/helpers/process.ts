import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { MAIN } from "./spillway-command.ts";

const KEPT_CHARACTERS = 20_000;

/** For relays and sinks that are to notice soon that another has gone, as `groupOf` makes it in this process. */
export const QUICK_SESSION = ["--session-timeout-ms", "6000", "--heartbeat-ms", "500"] as const;

/** The `spillway` command as a process of its own, with nothing from this process's environment but what it must have. */
export class SpillwayProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  #log = "";

  /** @param main another program than the sources, such as what is published */
  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}, main = MAIN) {
    const { PATH = "", HOME = "" } = process.env;
    const marker = process.env["SPILLWAY_TEST_RUN"] ?? "";
    this.#child = spawn(process.execPath, [main, ...args], {
      env: { PATH, HOME, SPILLWAY_TEST_RUN: marker, ...env },
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#log = (this.#log + text).slice(-KEPT_CHARACTERS);
    });
    this.#ended = once(this.#child, "close").then(([code, signal]) => ({ code, signal }));
  }

  /** The end of what it logged. */
  get log(): string {
    return this.#log;
  }

  /** Peak resident memory in MiB, as the kernel counts it. */
  peakMiB(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, "utf8");
    return Number(status.match(/VmHWM:\s+(\d+) kB/)?.[1]) / 1024;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Waits until it ends by itself; its exit code. */
  async ended(deadlineMs: number): Promise<number | null> {
    const late = AbortSignal.timeout(deadlineMs);
    const timeout = once(late, "abort").then(() => assert.fail(`it goes on after ${deadlineMs} ms: ${this.#log}`));
    return (await Promise.race([this.#ended, timeout])).code;
  }

  /** SIGKILL; resolves when it is gone. */
  async crash(): Promise<void> {
    this.kill("SIGKILL");
    await this.#ended;
  }

  /** SIGTERM; it must end in order. */
  async stop(): Promise<void> {
    this.kill("SIGTERM");
    const { code } = await this.#ended;
    assert.equal(code, 0, this.#log);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.crash();
  }
}
