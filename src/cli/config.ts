import { Command } from "commander";
import { type Config, loadConfig, type Setting } from "../config/config.ts";
import { CONFIGURED_COMMANDS, type ConfiguredCommand } from "../config/option.ts";
import { optionOf } from "../config/option-table.ts";
import { describeSource } from "../config/source.ts";
import { configFile, configOf } from "./context.ts";
import { addConfigFlag, addFlags } from "./flags.ts";

/** `spillway config`: what is configured, and by what. */
export function configCommand(): Command {
  const command = addConfigFlag(new Command("config"))
    .description("print the effective configuration and where each value comes from, secrets masked")
    .option("--json", "as JSON", false)
    .action(() => print(loadConfig({ flags: new Map(), file: configFile(command) }), undefined, isJson(command)));
  for (const name of CONFIGURED_COMMANDS) command.addCommand(ofCommand(name));
  return command;
}

/** The same flags as the command itself, so that a command line can be looked at before it is run. */
function ofCommand(name: ConfiguredCommand): Command {
  const command = addFlags(new Command(name), name)
    .description(`the options of ${name}, checked as ${name} would`)
    .action(() => print(configOf(command, name), name, command.parent !== null && isJson(command.parent)));
  return command;
}

function isJson(command: Command): boolean {
  return command.getOptionValue("json") === true;
}

function print({ settings, warnings }: Config, name: ConfiguredCommand | undefined, asJson: boolean): void {
  const wanted = settings.filter(({ key }) => name === undefined || optionOf(key).commands.includes(name));
  process.stdout.write(asJson ? `${JSON.stringify(wanted.map(toJson), null, 2)}\n` : toTable(wanted));
  for (const warning of warnings) process.stderr.write(`spillway: warning: ${warning}\n`);
}

function toJson({ key, shown, source }: Setting): object {
  const { env, flag, unit, description, kind } = optionOf(key);
  return { key, value: shown ?? null, source, env, flag, unit, allowed: kind.allowed, description };
}

function toTable(settings: readonly Setting[]): string {
  const rows = settings.map(({ key, shown, source }) => [key, toText(shown), describeSource(source)] as const);
  const keyWidth = Math.max(...rows.map(([key]) => key.length));
  const valueWidth = Math.min(48, Math.max(...rows.map(([, value]) => value.length)));
  return rows
    .map(([key, value, source]) => `${key.padEnd(keyWidth)}  ${value.padEnd(valueWidth)}  ${source}\n`)
    .join("");
}

function toText(value: unknown): string {
  if (value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}
