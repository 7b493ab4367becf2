import type { Kind } from "./kinds.ts";

/** Whoever connects to Kafka by what the user configured. */
export const KAFKA_CLIENTS = [
  "relay",
  "throttle",
  "pause",
  "resume",
  "status",
  "lag",
  "advise",
  "sink",
  "prices",
  "backfill",
  "verify",
  "handback",
  "dlq-list",
  "dlq-show",
  "dlq-redrive",
] as const;

/** The commands that take options of their own. `services` and `config` take none but the general ones. */
export const CONFIGURED_COMMANDS = [...KAFKA_CLIENTS, "demo"] as const;
export type ConfiguredCommand = (typeof CONFIGURED_COMMANDS)[number];

/** One row of the table: all there is to know about an option. Its key is where it stands in a YAML file. */
export interface Option<T> {
  readonly kind: Kind<T>;
  readonly env: `SPILLWAY_${string}`;
  /** Secrets have none: anybody on the machine can read a process's arguments. */
  readonly flag?: `--${string}`;
  /** Who takes it. The same flag may mean different options to different commands. */
  readonly commands: readonly ConfiguredCommand[];
  /** Without a default the option may be left out, unless it is required. */
  readonly default?: NoInfer<T>;
  readonly requiredBy?: readonly ConfiguredCommand[];
  readonly unit?: "bytes" | "ms" | "records" | "records/s";
  /**
   * Masked wherever it is shown, as a whole or the password inside a URI.
   * Secrets can also be read from a file: SPILLWAY_X_FILE names the file that holds SPILLWAY_X.
   */
  readonly secret?: "whole" | "uri";
  readonly description: string;
}

export interface OptionWithDefault<T> extends Option<T> {
  readonly default: NoInfer<T>;
}

/** Declares a row, so that the default is checked against the kind. */
export function option<T>(row: OptionWithDefault<T>): OptionWithDefault<T>;
export function option<T>(row: Option<T>): Option<T>;
export function option<T>(row: Option<T>): Option<T> {
  return row;
}
