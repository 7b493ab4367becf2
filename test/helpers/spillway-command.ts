import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { until } from "./kafka.ts";

/** The command, run from its sources. */
export const MAIN = resolve(import.meta.dirname, "../../src/cli/main.ts");
const DEADLINE_MS = 120_000;

/** All that a command has put out, and what everybody on the machine can see of it. */
export interface CommandOutput {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Empty where it can't be told. */
  readonly commandLine: string;
}

/** The `spillway` command as a process, of which every word is kept. */
export class SpillwayCommand implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  readonly #output = { stdout: "", stderr: "", commandLine: "" };

  constructor(args: readonly string[], env: Readonly<Record<string, string>>) {
    const { PATH = "", HOME = "", SPILLWAY_TEST_RUN = "" } = process.env;
    this.#child = spawn(process.execPath, [MAIN, ...args], {
      env: { PATH, HOME, SPILLWAY_TEST_RUN, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: DEADLINE_MS,
      killSignal: "SIGKILL",
    });
    for (const name of ["stdout", "stderr"] as const) {
      this.#child[name]?.setEncoding("utf8").on("data", (text: string) => {
        this.#output[name] += text;
      });
    }
    this.#closed = once(this.#child, "close");
    this.#closed.catch(() => {});
    once(this.#child, "spawn").then(
      () => {
        this.#output.commandLine = commandLineOf(this.#child.pid);
      },
      () => {},
    );
  }

  /** Resolves when it has logged that. */
  async logs(text: string): Promise<void> {
    await until(
      text,
      () => {
        assert.equal(this.#child.exitCode, null, `it ended without ${text}:\n${this.#output.stderr}`);
        return this.#output.stderr.includes(text);
      },
      DEADLINE_MS,
    );
  }

  /** SIGTERM. */
  async stop(): Promise<CommandOutput> {
    this.#child.kill("SIGTERM");
    return await this.ended();
  }

  async ended(): Promise<CommandOutput> {
    await this.#closed;
    return { code: this.#child.exitCode, ...this.#output };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#closed.catch(() => {});
  }
}

/** All that a process says of itself by HTTP: to who asks, and to who tells it nonsense with and without the token. */
export async function answersOf(port: number, token: string): Promise<string> {
  const url = `http://127.0.0.1:${port}`;
  const answers: string[] = [];
  for (const path of ["/status", "/metrics", "/health/live", "/health/ready", "/nowhere"]) {
    answers.push(await (await fetch(url + path)).text());
  }
  for (const shown of ["wrong", token]) {
    const headers = { authorization: `Bearer ${shown}`, "content-type": "application/json" };
    const body = JSON.stringify({ recordsPerSecond: 5, bytesPerSecond: "wrong" });
    answers.push(await (await fetch(`${url}/throttle`, { method: "POST", headers, body })).text());
  }
  return answers.join("\n");
}

function commandLineOf(pid: number | undefined): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}
