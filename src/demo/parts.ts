import type { Logger } from "pino";
import type { GroupGuard } from "./child.ts";
import type { Output } from "./progress.ts";

export interface DemoOptions {
  /** How many records the flood has. */
  readonly records: number;
  /** Where to write the result as JSON. */
  readonly json?: string | undefined;
  /** Leaves the services up in the end and says how to reach them. */
  readonly keep: boolean;
  readonly pace?: Partial<DemoPace>;
}

/** How long the phases take; less than by default has too few live messages for their figures to mean much. */
export interface DemoPace {
  readonly quietMs: number;
  /** Over which the flood is spread, less its burst. */
  readonly floodMs: number;
}

/** 20 live messages a second make more than 300 in each, however short the flood. */
export const DEMO_PACE: DemoPace = { quietMs: 15_500, floodMs: 16_000 };

/** A Kafka cluster and a database, started for the demo or given to it. */
export interface DemoServices {
  readonly brokers: readonly string[];
  readonly mongoUrl: string;
  /** What the database is, for the table. */
  readonly database: string;
  stop(): Promise<void>;
  /** How to stop them by hand, if they outlive this process. */
  readonly stopHint?: string | undefined;
}

/** What the demo is given, because it isn't the demo's to know where it comes from. */
export interface DemoParts {
  startServices(options: {
    readonly kafka: true;
    readonly mongo: true;
    readonly log: (line: string) => void;
    readonly signal: AbortSignal;
  }): Promise<DemoServices>;
  /** The command line of `spillway`, less its arguments. */
  readonly spillway: readonly [string, ...string[]];
  /** Ends the relay and the sink should this process be killed. */
  readonly guard?: GroupGuard | undefined;
  readonly output: Output;
  readonly log: Logger;
  /** Ends the demo at any moment, with everything cleaned up. */
  readonly signal: AbortSignal;
}
