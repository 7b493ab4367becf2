import { parseArgs } from "node:util";
import { positive, some } from "../arguments.ts";
import { CASE_GROUPS, type CaseGroup } from "./cases.ts";
import { SINK_NAMES, type SinkName, TARGETS, type TargetName } from "./result.ts";

export interface SinkBenchOptions {
  /** Where the result goes, as JSON. */
  readonly json: string | undefined;
  readonly rounds: number;
  readonly windowSeconds: number;
  readonly warmupSeconds: { readonly native: number; readonly jvm: number };
  readonly groups: readonly CaseGroup[];
  readonly names: readonly SinkName[];
  readonly latencies: readonly number[];
  /** Records to be preloaded into each topic. */
  readonly records: number;
  readonly targets: readonly TargetName[];
  /** Options of `spillway sink` to try out, that aren't at their defaults then. */
  readonly sinkOptions: readonly string[];
  /** Folder for the CPU profiles of sinks that run on Node. They cost some speed. */
  readonly profiles: string | undefined;
}

const FULL = { rounds: 3, window: 20, warmup: 4, jvmWarmup: 10, records: 1_500_000, latencies: [0, 50, 100, 200] };
/** To see that it works, not how fast. */
const SHORT = { rounds: 1, window: 3, warmup: 1, jvmWarmup: 1, records: 400_000, latencies: [0, 100] };

export const SINK_USAGE = `node bench/sink.ts [options]
  --json FILE             writes the result there
  --short                 ${SHORT.rounds} round of ${SHORT.window} s at ${SHORT.latencies.join(" and ")} ms, of the first group alone: to see that it works
  --groups LIST           ${CASE_GROUPS.join()}
  --names LIST            ${SINK_NAMES.join()}
  --latencies LIST        ${FULL.latencies.join()}, in milliseconds
  --rounds N              ${FULL.rounds}
  --window SECONDS        ${FULL.window}
  --warmup SECONDS        ${FULL.warmup}, after the first document
  --jvm-warmup SECONDS    ${FULL.jvmWarmup}
  --records N             ${FULL.records}, preloaded into each topic
  --targets LIST          ${TARGETS.join()}; ${TARGETS[0]} alone with --short
  --sink-options TEXT     options of spillway sink to try out, such as "--writers 8"
  --cpu-prof DIRECTORY    profiles the sinks that run on Node; see them by node bench/profile.ts FILE
`;

/** @throws TypeError for what isn't an option, or not one of those allowed */
export function parseSinkOptions(args: readonly string[]): SinkBenchOptions {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: text,
      short: { type: "boolean", default: false },
      groups: text,
      names: text,
      latencies: text,
      rounds: text,
      window: text,
      warmup: text,
      "jvm-warmup": text,
      records: text,
      targets: text,
      "sink-options": text,
      "cpu-prof": text,
    },
  });
  const usual = values.short ? SHORT : FULL;
  const number = (name: "rounds" | "window" | "warmup" | "jvm-warmup" | "records", otherwise: number): number =>
    values[name] === undefined ? otherwise : positive(name, values[name]);
  return {
    json: values.json,
    rounds: number("rounds", usual.rounds),
    windowSeconds: number("window", usual.window),
    warmupSeconds: { native: number("warmup", usual.warmup), jvm: number("jvm-warmup", usual.jvmWarmup) },
    groups: values.short && values.groups === undefined ? ["latencies"] : some("groups", values.groups, CASE_GROUPS),
    names: some("names", values.names, SINK_NAMES),
    latencies: values.latencies?.split(",").map(latency) ?? usual.latencies,
    records: number("records", usual.records),
    targets: values.short && values.targets === undefined ? ["mongodb"] : some("targets", values.targets, TARGETS),
    sinkOptions: values["sink-options"]?.split(" ").filter((part) => part !== "") ?? [],
    profiles: values["cpu-prof"],
  };
}

function latency(text: string): number {
  const ms = Number(text);
  if (text.trim() === "" || !Number.isInteger(ms) || ms < 0)
    throw new TypeError(`--latencies takes milliseconds, not ${text}`);
  return ms;
}
