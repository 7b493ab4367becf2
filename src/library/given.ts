import { crossCheck } from "../config/cross-checks.ts";
import { OPTION_KEYS, type OptionKey, optionOf, type Values } from "../config/option-table.ts";
import { SpillwayError } from "../errors.ts";
import type { FetchOptions } from "../kafka/source.ts";

/** Options of an application under the keys that the commands have for them; what is undefined was not given. */
export type Given = Readonly<Record<string, unknown>>;

/**
 * Holds what an application gave to what the commands allow: each value by itself, then across values. What is no option
 * of a command, or no plain value, is left to its own types.
 * @throws SpillwayError CONFIG_INVALID, which names every problem there is
 */
export function checkGiven(given: Given): void {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  const isSet = (key: OptionKey) => given[key] !== undefined;
  for (const key of OPTION_KEYS) {
    const { kind, default: preset } = optionOf(key);
    const value = given[key];
    values[key] = value ?? preset;
    if (!isSet(key) || kind.schema.safeParse(value).success) continue;
    problems.push(`${nameOf(key)} is ${JSON.stringify(value)}; allowed: ${kind.allowed}`);
  }
  if (problems.length === 0) {
    problems.push(...crossCheck({ command: undefined, values: values as Values, isSet, name: nameOf }).problems);
  }
  if (problems.length > 0) throw new SpillwayError("CONFIG_INVALID", `Options: ${problems.join("; ")}`);
}

/** The plain values among some options, under the keys of a section: `writers` is `sink.writers`. */
export function inSection(section: string, options: object | undefined): Given {
  const plain = Object.entries(options ?? {}).filter(([, value]) => typeof value !== "object");
  return Object.fromEntries(plain.map(([name, value]) => [`${section}.${name}`, value]));
}

/** How much is fetched: `fetch.minBytes` is `fetchMinBytes` of the commands. */
export function fetchGiven({ outOfRange, ...sizes }: Partial<FetchOptions> = {}): Given {
  const entries = Object.entries(sizes).map(([name, value]) => [`consumer.fetch${capital(name)}`, value]);
  return { ...Object.fromEntries(entries), "consumer.outOfRange": outOfRange };
}

function capital(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}

function nameOf(key: OptionKey): string {
  return key.slice(key.indexOf(".") + 1);
}
