import { SpillwayError } from "../errors.ts";
import { crossCheck } from "./cross-checks.ts";
import { type Environment, processEnvironment, readEnvironment } from "./environment.ts";
import type { ConfiguredCommand } from "./option.ts";
import { CONFIG_FILE_VARIABLE, OPTION_KEYS, type OptionKey, optionOf, type Values, waysToSet } from "./option-table.ts";
import { MASK, maskSecrets, maskUri, rememberSecret, rememberUriSecrets } from "./secrets.ts";
import { describeSource, type Found, type Source } from "./source.ts";
import { readYamlFile } from "./yaml-file.ts";

/** The validated configuration of one command. */
export interface Config {
  readonly values: Values;
  /** All options in the table's order, secrets masked. */
  readonly settings: readonly Setting[];
  /** What is odd but no error: to be logged. */
  readonly warnings: readonly string[];
}

export interface Setting {
  readonly key: OptionKey;
  /** As it may be shown. */
  readonly shown: unknown;
  readonly source: Source;
}

export interface ConfigRequest {
  /** Its required options must be set. Without a command all options are shown and none is required. */
  readonly command?: ConfiguredCommand | undefined;
  /** By option key, as the command line had them. */
  readonly flags: ReadonlyMap<OptionKey, unknown>;
  /** The YAML file; SPILLWAY_CONFIG's if there is none. */
  readonly file?: string | undefined;
  /** The process's own unless told. */
  readonly environment?: Environment;
}

/**
 * Flags over environment over YAML file over defaults, checked once.
 * @throws SpillwayError CONFIG_INVALID, which names every problem there is
 */
export function loadConfig(request: ConfigRequest): Config {
  const environment = request.environment ?? processEnvironment();
  const file = request.file ?? (environment[CONFIG_FILE_VARIABLE] || undefined);
  const fromEnvironment = readEnvironment(environment);
  const fromFile = file === undefined ? { found: new Map<OptionKey, Found>(), problems: [] } : readYamlFile(file);
  const fromFlags = new Map([...request.flags].map(([key, value]) => [key, foundInFlag(key, value)]));
  for (const found of [fromFlags, fromEnvironment.found, fromFile.found]) rememberSecrets(found);

  const problems = [...fromEnvironment.problems, ...fromFile.problems];
  const values: Record<string, unknown> = {};
  const sources = new Map<OptionKey, Source>();
  for (const key of OPTION_KEYS) {
    const found = fromFlags.get(key) ?? fromEnvironment.found.get(key) ?? fromFile.found.get(key) ?? unset(key);
    sources.set(key, found.source);
    const checked = check(key, found, request.command);
    if (checked.kind === "valid") values[key] = checked.value;
    else problems.push(checked.problem);
  }
  const sourceOf = (key: OptionKey): Source => sources.get(key) ?? { kind: "unset" };
  // A value that isn't allowed is missing here; the checks know that it is set, and say nothing about it.
  const typed = values as Values;
  const crossChecked = crossCheck({
    command: request.command,
    values: typed,
    isSet: (key) => !["unset", "default"].includes(sourceOf(key).kind),
    name: (key) => (sourceOf(key).kind === "unset" ? key : `${key} (${describeSource(sourceOf(key))})`),
  });
  problems.push(...crossChecked.problems);
  const warnings = [...fromEnvironment.warnings, ...crossChecked.warnings].map(maskSecrets);
  if (problems.length > 0) throw invalid(problems, warnings);

  return {
    values: typed,
    settings: OPTION_KEYS.map((key) => ({ key, shown: shown(key, typed[key]), source: sourceOf(key) })),
    warnings,
  };
}

function foundInFlag(key: OptionKey, value: unknown): Found {
  return { value, source: { kind: "flag", flag: optionOf(key).flag ?? key } };
}

function unset(key: OptionKey): Found {
  const value = optionOf(key).default;
  return { value, source: { kind: value === undefined ? "unset" : "default" } };
}

/** Also those that lose against a stronger source, or turn out to be wrong: they are no less secret. */
function rememberSecrets(found: ReadonlyMap<OptionKey, Found>): void {
  for (const [key, { value }] of found) {
    const { secret } = optionOf(key);
    if (secret === "whole") rememberSecret(String(value));
    // Whatever the option: an address with a password may have been put where it doesn't belong.
    else rememberUriSecrets(String(value));
  }
}

type Checked =
  | { readonly kind: "valid"; readonly value: unknown }
  | { readonly kind: "invalid"; readonly problem: string };

function check(key: OptionKey, { value, source }: Found, command: ConfiguredCommand | undefined): Checked {
  const option = optionOf(key);
  const { allowed, schema } = option.kind;
  if (value === undefined) {
    const required = command !== undefined && option.requiredBy?.includes(command) === true;
    if (!required) return { kind: "valid", value };
    return { kind: "invalid", problem: `${key} is not set; set it by ${waysToSet(key)}; allowed: ${allowed}` };
  }
  const result = schema.safeParse(value);
  if (result.success) return { kind: "valid", value: result.data };
  // A URI that isn't one can't be taken apart, so nobody knows where in it the secret is.
  const was = option.secret === undefined ? maskSecrets(JSON.stringify(value)) : MASK;
  return { kind: "invalid", problem: `${key} is ${was} (${describeSource(source)}); allowed: ${allowed}` };
}

function shown(key: OptionKey, value: unknown): unknown {
  const { secret } = optionOf(key);
  if (value === undefined) return undefined;
  if (secret === "whole") return MASK;
  return secret === "uri" ? maskUri(String(value)) : maskStrings(value);
}

function maskStrings(value: unknown): unknown {
  if (typeof value === "string") return maskSecrets(value);
  if (Array.isArray(value)) return value.map(maskStrings);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, maskStrings(inner)]));
}

/** The warnings too: what looks odd is often what is wrong. */
function invalid(problems: readonly string[], warnings: readonly string[]): SpillwayError {
  const [first = "", ...others] = problems.map(maskSecrets);
  if (others.length + warnings.length === 0) return error(`The configuration has a problem: ${first}`);
  const lines = [first, ...others, ...warnings.map((warning) => `also: ${warning}`)];
  const count = others.length === 0 ? "a problem" : `${problems.length} problems`;
  return error(`The configuration has ${count}:\n${lines.map((line) => `  - ${line}`).join("\n")}`);
}

function error(message: string): SpillwayError {
  return new SpillwayError("CONFIG_INVALID", message);
}
