import { type Advice, followed } from "./advice.ts";
import { advise } from "./advise.ts";
import type { Facts, Setting, SinkSettings } from "./facts.ts";
import { loadOf } from "./load.ts";
import type { Range } from "./range.ts";

/** How a setting is given to a sink. */
export interface Naming {
  readonly flag: string;
  readonly environment: string;
}

export interface NamedChange extends Naming {
  readonly setting: Setting;
  readonly from: SinkSettings[Setting];
  readonly to: SinkSettings[Setting];
}

/** What was seen of a group, and what to change. The shape is stable: it is what `--json` writes. */
export interface AdviceReport {
  readonly group: string;
  /** What the advice rests on, of all instances that were asked. */
  readonly seen: {
    readonly instances: number;
    readonly members: number | undefined;
    readonly partitions: number;
    readonly seconds: number;
    readonly arrivalPerSecond: number | undefined;
    readonly recordsPerSecond: number;
    readonly waiting: number;
    /** Undefined where nothing was written. `fixedMs` and `perRecordMs` make up a write. */
    readonly write:
      | { readonly ms: number; readonly records: number; readonly perRecordMs: Range; readonly isMeasured: boolean }
      | undefined;
    /** From when records were read to their outcome. */
    readonly latencyMs: number | undefined;
    readonly writersBusy: number;
    readonly writers: number;
    /** 0 … 1. */
    readonly inFlightShare: number;
    readonly cores: number;
    readonly hotKey: { readonly key: string; readonly share: number } | undefined;
  };
  /** Each setting once, as it is best given to all instances. */
  readonly changes: readonly NamedChange[];
  readonly advice: readonly Advice[];
}

/** @param naming how the settings of these sinks are given */
export function adviceReport(facts: Facts, naming: (setting: Setting) => Naming): AdviceReport {
  const load = loadOf(facts);
  const advice = advise(facts);
  const then = followed(load.settings, advice);
  const settings = Object.keys(then) as Setting[];
  const { cost } = load;
  return {
    group: facts.group,
    seen: {
      instances: load.instances,
      members: facts.members,
      partitions: facts.partitions.length,
      seconds: Math.max(...facts.instances.map(({ seconds }) => seconds)),
      arrivalPerSecond: load.arrivalPerSecond,
      recordsPerSecond: load.recordsPerSecond,
      waiting: load.waiting,
      write: cost,
      latencyMs: load.latencyMs,
      writersBusy: load.writersBusy,
      writers: load.settings.writers * load.instances,
      inFlightShare: load.inFlightShare,
      cores: load.cores,
      hotKey: load.hotKey,
    },
    changes: settings
      .filter((setting) => then[setting] !== load.settings[setting])
      .map((setting) => ({ setting, ...naming(setting), from: load.settings[setting], to: then[setting] })),
    advice,
  };
}
