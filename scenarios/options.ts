import { parseArgs } from "node:util";
import { FULL_PACE, type Pace, SCENARIO_NAMES, type ScenarioName, SHORT_PACE } from "./catalog.ts";

export interface ScenarioOptions {
  readonly names: readonly ScenarioName[];
  /** Where the figures go, as JSON. */
  readonly json: string | undefined;
  /** Where the page with the curves goes. */
  readonly report: string;
  readonly seed: number;
  readonly pace: Pace;
  /** On the services of docker-compose.yml instead of this machine's own. */
  readonly compose: boolean;
}

export const USAGE = `npm run scenarios -- [NAME…] [options]
  NAME             ${SCENARIO_NAMES.join("\n                   ")}
                   all of them unless named
  --json FILE      writes the figures there
  --report FILE    writes a page with the curves there; scenarios.html unless told
  --seed N         of the flood's keys; 1 unless told
  --short          10 s of quiet and of flood: to see that it works, not how fast
  --compose        on the services of docker-compose.yml
`;

/** @throws TypeError for what isn't an option or a scenario */
export function parseOptions(args: readonly string[]): ScenarioOptions {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { json: text, report: text, seed: text, short: flag, compose: flag },
  });
  const seed = Number(values.seed ?? "1");
  if (!Number.isSafeInteger(seed)) throw new TypeError(`--seed takes an integer, not ${values.seed}`);
  return {
    names: positionals.length === 0 ? SCENARIO_NAMES : [...new Set(positionals.map(scenarioName))],
    json: values.json,
    report: values.report ?? "scenarios.html",
    seed,
    pace: values.short ? SHORT_PACE : FULL_PACE,
    compose: values.compose,
  };
}

function scenarioName(name: string): ScenarioName {
  const found = SCENARIO_NAMES.find((one) => one === name);
  if (found === undefined) throw new TypeError(`there is no scenario ${name}`);
  return found;
}
