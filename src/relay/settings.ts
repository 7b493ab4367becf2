import {
  type ControlEntry,
  type ControlOptions,
  followControlEntries,
  readControlEntries,
  writeControl,
} from "../kafka/control-topic.ts";
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
 * and it holds over restarts until something else is said. Each setting has an entry of its own, so that what is said of
 * different ones at the same time all holds.
 * @throws SpillwayError as `readControlEntries`
 */
export async function readSettings(relay: RelayName, control: ControlOptions): Promise<Settings> {
  const names = namesByKey(relay);
  return (await readControlEntries((key) => names.has(key), control)).reduce(withEntry(names), {});
}

/** Resolves with what holds from now on. @throws SpillwayError as `readControlEntries` and `writeControl` */
export async function changeSettings(relay: RelayName, change: Settings, control: ControlOptions): Promise<Settings> {
  for (const [key, name] of namesByKey(relay)) {
    if (change[name] !== undefined) await writeControl(key, JSON.stringify(change[name]), control);
  }
  return await readSettings(relay, control);
}

/** Calls `take` with what holds, now and after every change. @throws SpillwayError as `followControlEntries` */
export async function followSettings(
  relay: RelayName,
  take: (settings: Settings) => void,
  control: ControlOptions,
): Promise<AsyncDisposable> {
  const names = namesByKey(relay);
  const withNext = withEntry(names);
  let settings: Settings = {};
  return await followControlEntries(
    (key) => names.has(key),
    (entry) => {
      settings = withNext(settings, entry);
      take(settings);
    },
    control,
  );
}

/** What holds, by a relay's options and what it was told. */
export function limitsBy(options: Limits, { recordsPerSecond, bytesPerSecond, paused }: Settings): Limits {
  return {
    recordsPerSecond: recordsPerSecond === undefined ? options.recordsPerSecond : (recordsPerSecond ?? undefined),
    bytesPerSecond: bytesPerSecond === undefined ? options.bytesPerSecond : (bytesPerSecond ?? undefined),
    paused: paused ?? options.paused,
  };
}

type SettingName = keyof Settings;

const NAMES: readonly SettingName[] = ["recordsPerSecond", "bytesPerSecond", "paused"];

/** Under which keys of the control topic the settings stand. No topic has a colon in its name. */
function namesByKey({ group, source }: RelayName): ReadonlyMap<string, SettingName> {
  return new Map(NAMES.map((name) => [`relay-settings:${group}:${source}:${name}`, name]));
}

function withEntry(names: ReadonlyMap<string, SettingName>) {
  return (settings: Settings, { key, value }: ControlEntry): Settings => {
    const name = names.get(key);
    return name === undefined ? settings : { ...settings, ...parseSetting(name, value ?? "") };
  };
}

/** Empty for what is none: a newer Spillway may write what this one doesn't know. */
export function parseSetting(name: SettingName, text: string): Settings {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return {};
  }
  const isFit = name === "paused" ? typeof value === "boolean" : isRate(value);
  return isFit ? { [name]: value } : {};
}

function isRate(value: unknown): value is number | null {
  return value === null || (typeof value === "number" && value > 0 && value < Infinity);
}
