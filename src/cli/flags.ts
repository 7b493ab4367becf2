import { type Command, Option as Flag } from "commander";
import type { ConfiguredCommand, Option } from "../config/option.ts";
import { fileVariable, OPTION_KEYS, type OptionKey, optionOf } from "../config/option-table.ts";

/** Gives a command the flags of all options that it takes. */
export function addFlags(command: Command, name: ConfiguredCommand): Command {
  for (const key of keysOf(name)) for (const flag of flagsOf(optionOf(key))) command.addOption(flag);
  const secrets = keysOf(name)
    .map(optionOf)
    .filter((option) => option.secret !== undefined);
  const variables = secrets.map((option) => `  ${option.env} or ${fileVariable(option)}: ${option.description}`);
  if (variables.length > 0) command.addHelpText("after", `\nSecrets, by environment:\n${variables.join("\n")}`);
  return addConfigFlag(command);
}

export function addConfigFlag(command: Command): Command {
  return command.option("--config <file>", "YAML file with options; flags and environment win over it");
}

/** The options that were given on the command line, by key. */
export function givenFlags(command: Command, name: ConfiguredCommand): Map<OptionKey, unknown> {
  const given = command.opts();
  const entries = keysOf(name).flatMap((key) => {
    const [flag] = flagsOf(optionOf(key));
    const value: unknown = flag === undefined ? undefined : given[flag.attributeName()];
    return value === undefined ? [] : [[key, value] as const];
  });
  return new Map(entries);
}

function keysOf(name: ConfiguredCommand): OptionKey[] {
  return OPTION_KEYS.filter((key) => optionOf(key).commands.includes(name));
}

/** A switch has a flag for each position, so that either can overrule environment and file. */
function flagsOf(option: Option<unknown>): Flag[] {
  const { flag, kind } = option;
  if (flag === undefined) return [];
  if (kind.shape === "switch") {
    const [on, off] = [new Flag(flag, describe(option)), new Flag(flag.replace("--", "--no-"), describe(option))];
    // Help shows the one that changes something.
    return option.default === true ? [on.hideHelp(), off] : [on, off.hideHelp()];
  }
  const single = new Flag(`${flag} <${kind.placeholder}>`, describe(option));
  if (kind.shape === "list") single.argParser((value: string, before?: string[]) => [...(before ?? []), value]);
  return [single];
}

function describe({ description, default: preset, env, kind, unit }: Option<unknown>): string {
  const value =
    preset === undefined || kind.shape === "switch"
      ? []
      : [`default: ${preset}${unit === undefined ? "" : ` ${unit}`}`];
  return `${description} (${[...value, env].join(", ")})`;
}
