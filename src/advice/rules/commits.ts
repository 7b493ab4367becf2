import { SINK_DEFAULTS } from "../../sink/options.ts";
import { type Advice, changing } from "../advice.ts";
import type { Load } from "../load.ts";
import { figure } from "../words.ts";

const OFTEN_MS = 200;
const SELDOM_MS = 5_000;

/** A commit is a request to the group's coordinator; what isn't committed is repeated by a crash, and counts as lag. */
export function commits({ settings, recordsPerSecond, instances }: Load): readonly Advice[] {
  const { commitIntervalMs } = settings;
  if (commitIntervalMs >= OFTEN_MS && commitIntervalMs <= SELDOM_MS) return [];
  const to = SINK_DEFAULTS.commitIntervalMs;
  const perSecond = (intervalMs: number) => (instances * 1_000) / intervalMs;
  const repeated = (intervalMs: number) => (recordsPerSecond * intervalMs) / 1_000;
  const isOften = commitIntervalMs < OFTEN_MS;
  return changing(
    isOften ? "COMMITS_OFTEN" : "COMMITS_SELDOM",
    settings,
    { commitIntervalMs: to },
    isOften
      ? {
          why: `Up to ${figure(perSecond(commitIntervalMs))} commits/s, each a write of the group's coordinator: once a second is enough, since what a crash repeats finds its documents there`,
          effect: { of: "commits/s", from: perSecond(commitIntervalMs), to: range(0, perSecond(to)) },
        }
      : {
          why: `What was written in the last ${figure(commitIntervalMs)} ms counts as lag, and a crash repeats it`,
          effect: {
            of: "records repeated by a crash",
            from: repeated(commitIntervalMs),
            to: range(0, repeated(to)),
          },
        },
  );
}

function range(least: number, most: number) {
  return { least, most };
}
