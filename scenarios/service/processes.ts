import { setPriority } from "node:os";
import { join } from "node:path";
import { Child, type ChildEnd, describe, type GroupGuard } from "../../src/demo/child.ts";
import { until } from "../../src/demo/until.ts";
import { SpillwayError } from "../../src/errors.ts";
import { parseServiceLine, type ServiceJob, type ServiceLine } from "./lines.ts";

const PROGRAM = join(import.meta.dirname, "service.ts");
/** In one process: more would make its event loop the limit, not the writes. */
const CONSUMERS_PER_PROCESS = 50;
/** Members of a group of 200 are let in by several rebalances, each of which waits for members that wait for records. */
const JOIN_TIMEOUT_MS = 120_000;
/** As `nice` has it: 0 is everybody else's. */
const BACKGROUND_PRIORITY = 10;
/** A consumer may wait at the broker for 5 s before it looks whether it is to stop. */
const STOP_GRACE_MS = 20_000;

export interface ServiceOptions extends Omit<ServiceJob, "consumers"> {
  /** Of the topic: as many consumers. */
  readonly partitions: number;
  /** Of the database, as the service is to reach it. */
  readonly mongoUrl: string;
  readonly guard: GroupGuard;
  /** The backfill's consumers have machines of their own in earnest: here they take what is left of this one. */
  readonly isInBackground: boolean;
  readonly env: NodeJS.ProcessEnv;
}

/** How the service's writes went: of several processes, the figures of the slowest. */
export interface WriteTimes {
  readonly writeP50Ms: number;
  readonly writeP99Ms: number;
  readonly loopP99Ms: number;
}

/** The service on one topic, with a consumer for each partition, over as many processes as that takes. */
export class Service implements AsyncDisposable {
  readonly #options: ServiceOptions;
  readonly #processes: readonly ServiceProcess[];

  constructor(options: ServiceOptions) {
    this.#options = options;
    this.#processes = shares(options.partitions, CONSUMERS_PER_PROCESS).map(
      (consumers) => new ServiceProcess(options, consumers),
    );
  }

  /** Rejects if one of its processes ends before it is stopped. */
  get failed(): Promise<never> {
    return Promise.race(this.#processes.map(({ child }) => child.failed));
  }

  /** Documents that it has written. */
  get written(): number {
    return sum(this.#processes.map(({ written }) => written));
  }

  /** Messages that it was given and whose document was there already. */
  get duplicates(): number {
    return sum(this.#processes.map(({ duplicates }) => duplicates));
  }

  get pids(): readonly number[] {
    return this.#processes.flatMap(({ child }) => child.pid ?? []);
  }

  /** Resolves when each partition has a consumer to itself. */
  async joined(signal: AbortSignal): Promise<void> {
    const { partitions, topic } = this.#options;
    const isJoined = (): boolean =>
      isOneEach(
        this.#processes.flatMap(({ assigned }) => [...assigned.values()]),
        partitions,
      );
    await until(isJoined, { timeoutMs: JOIN_TIMEOUT_MS, what: `each partition of ${topic} has its consumer`, signal });
  }

  /** Lets each write be done and commits it. @throws SpillwayError if a process did not end in order */
  async stop(): Promise<WriteTimes> {
    const ends = await Promise.all(this.#processes.map((process) => process.stop(STOP_GRACE_MS)));
    const worst = (pick: (times: WriteTimes) => number): number => Math.max(...ends.map(pick));
    return {
      writeP50Ms: worst(({ writeP50Ms }) => writeP50Ms),
      writeP99Ms: worst(({ writeP99Ms }) => writeP99Ms),
      loopP99Ms: worst(({ loopP99Ms }) => loopP99Ms),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#processes.map(({ child }) => child.stop(STOP_GRACE_MS)));
  }
}

class ServiceProcess {
  readonly child: Child;
  /** By consumer. */
  readonly assigned = new Map<number, readonly number[]>();
  written = 0;
  duplicates = 0;
  #times: WriteTimes | undefined;

  constructor({ partitions: _, mongoUrl, guard, isInBackground, env, ...job }: ServiceOptions, consumers: number) {
    const argument = JSON.stringify({ ...job, consumers } satisfies ServiceJob);
    this.child = new Child({
      name: "service",
      command: [process.execPath, PROGRAM, argument],
      env: { ...env, SPILLWAY_MONGO_URL: mongoUrl },
      guard,
      onLine: (line) => {
        const parsed = parseServiceLine(line);
        if (parsed !== undefined) this.#hear(parsed);
      },
    });
    if (isInBackground && this.child.pid !== undefined) setPriority(this.child.pid, BACKGROUND_PRIORITY);
  }

  async stop(graceMs: number): Promise<WriteTimes> {
    const end: ChildEnd = await this.child.stop(graceMs);
    if (end.code === 0 && this.#times !== undefined) return this.#times;
    throw new SpillwayError(
      "DELIVERY_FAILED",
      `The service did not stop in order but with ${describe(end)}. ${this.child.lastLines()}`,
    );
  }

  #hear(line: ServiceLine): void {
    switch (line.event) {
      case "joined":
        this.assigned.set(line.consumer, line.partitions);
        break;
      case "progress":
        this.written = line.written;
        this.duplicates = line.duplicates;
        break;
      case "stopped":
        this.#times = line;
        break;
    }
  }
}

/** Whether every partition is held, and each by one who holds no other. */
export function isOneEach(held: readonly (readonly number[])[], partitions: number): boolean {
  return (
    held.length === partitions && held.every(({ length }) => length === 1) && new Set(held.flat()).size === partitions
  );
}

/** As many equal shares as it takes for none to be above `most`. */
export function shares(total: number, most: number): number[] {
  const count = Math.ceil(total / most);
  return Array.from({ length: count }, (_, index) => Math.floor((total + index) / count));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
