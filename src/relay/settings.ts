import { type ControlOptions, followControl, readControl, writeControl } from "../kafka/control-topic.ts";
import type { Limits } from "./pace.ts";

/** A relay: all its instances. */
export interface RelayName {
  readonly group: string;
  readonly source: string;
}

/** What a relay was told. Null takes a limit away; what nobody has said is as its options have it. */
export interface Settings {
  readonly recordsPerSecond?: number | null;
  readonly bytesPerSecond?: number | null;
  readonly paused?: boolean;
}

/**
 * What a relay was told while it ran, or before. It stands in the control topic: all instances hear it within moments,
 * and it holds over restarts until something else is said.
 * @throws SpillwayError as `readControl`
 */
export async function readSettings(relay: RelayName, control: ControlOptions): Promise<Settings> {
  return parseSettings((await readControl(keyOf(relay), control)).at(-1) ?? "{}");
}

/** Resolves with what holds from now on. @throws SpillwayError as `readControl` and `writeControl` */
export async function changeSettings(relay: RelayName, change: Settings, control: ControlOptions): Promise<Settings> {
  const next = { ...(await readSettings(relay, control)), ...change };
  await writeControl(keyOf(relay), JSON.stringify(next), control);
  return next;
}

/** Calls `take` with what holds, now and after every change. @throws SpillwayError as `followControl` */
export async function followSettings(
  relay: RelayName,
  take: (settings: Settings) => void,
  control: ControlOptions,
): Promise<AsyncDisposable> {
  return await followControl(keyOf(relay), (text) => take(parseSettings(text)), control);
}

/** What holds, by a relay's options and what it was told. */
export function limitsBy(options: Limits, { recordsPerSecond, bytesPerSecond, paused }: Settings): Limits {
  return {
    recordsPerSecond: recordsPerSecond === undefined ? options.recordsPerSecond : (recordsPerSecond ?? undefined),
    bytesPerSecond: bytesPerSecond === undefined ? options.bytesPerSecond : (bytesPerSecond ?? undefined),
    paused: paused ?? options.paused,
  };
}

/** Empty for what is none: a newer Spillway may write what this one doesn't know. */
export function parseSettings(text: string): Settings {
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    return {};
  }
  const { recordsPerSecond, bytesPerSecond, paused } = (read ?? {}) as Readonly<Record<string, unknown>>;
  return {
    ...(isRate(recordsPerSecond) ? { recordsPerSecond } : {}),
    ...(isRate(bytesPerSecond) ? { bytesPerSecond } : {}),
    ...(typeof paused === "boolean" ? { paused } : {}),
  };
}

function isRate(value: unknown): value is number | null {
  return value === null || (typeof value === "number" && value > 0);
}

function keyOf({ group, source }: RelayName): string {
  return `relay-settings:${group}:${source}`;
}
