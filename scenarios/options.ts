import { parseArgs } from "node:util";
import { FULL_PACE, type Pace, SCENARIO_NAMES, type ScenarioName, SHORT_PACE } from "./catalog.ts";
import { LADDER_NAMES, type LadderName } from "./ladder/catalog.ts";
import { OPERATION_NAMES, type OperationName } from "./operations/catalog.ts";
import { PER_TOPIC } from "./per-topic/figures.ts";

export const ALL_NAMES = [...SCENARIO_NAMES, ...LADDER_NAMES, PER_TOPIC, ...OPERATION_NAMES] as const;
export type AnyScenario = (typeof ALL_NAMES)[number];

export interface ScenarioOptions {
  readonly names: readonly ScenarioName[];
  readonly ladders: readonly LadderName[];
  readonly perTopic: boolean;
  readonly operations: readonly OperationName[];
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
  NAME             ${ALL_NAMES.join("\n                   ")}
                   all of them unless named
  --json FILE      writes the figures there
  --report FILE    writes a page with the curves there; scenarios.html unless told
  --seed N         of the flood's keys; 1 unless told
  --short          10 s of quiet and of flood, a second for each row: to see that it works, not how fast
  --compose        on the services of docker-compose.yml; not the ladders, nor ${PER_TOPIC}
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
  const named: readonly AnyScenario[] = positionals.length === 0 ? ALL_NAMES : positionals.map(scenarioName);
  const isNamed = (name: AnyScenario): boolean => named.includes(name);
  const [names, ladders] = [SCENARIO_NAMES.filter(isNamed), LADDER_NAMES.filter(isNamed)];
  const operations = OPERATION_NAMES.filter(isNamed);
  if (values.compose && names.length + operations.length < new Set(named).size) {
    throw new TypeError(
      `--compose is for ${[...SCENARIO_NAMES, ...OPERATION_NAMES].join(", ")}: name those that you want`,
    );
  }
  return {
    ...{ names, ladders, perTopic: isNamed(PER_TOPIC), operations },
    json: values.json,
    report: values.report ?? "scenarios.html",
    seed,
    pace: values.short ? SHORT_PACE : FULL_PACE,
    compose: values.compose,
  };
}

function scenarioName(name: string): AnyScenario {
  const found = ALL_NAMES.find((one) => one === name);
  if (found === undefined) throw new TypeError(`there is no scenario ${name}`);
  return found;
}
