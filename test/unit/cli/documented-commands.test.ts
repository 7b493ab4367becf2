/** Every command in a code block of the documentation is one that the command line takes, its values included. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import type { Command } from "commander";
import { givenFlags } from "../../../src/cli/flags.ts";
import { createProgram } from "../../../src/cli/program.ts";
import { loadConfig } from "../../../src/config/config.ts";
import { CONFIGURED_COMMANDS } from "../../../src/config/option.ts";

const ROOT = resolve(import.meta.dirname, "../../..");
const PAGES = ["README.md", "CONTRIBUTING.md", ...globSync(["docs/**/*.md", "deploy/**/*.md"], { cwd: ROOT })];
/** What a reader has set before, as the guides say. */
const ENVIRONMENT = { SPILLWAY_BROKERS: "broker-1:9092", SPILLWAY_MONGO_URL: "mongodb://mongo:27017/prices" };

const QUIET = { writeErr: () => {}, writeOut: () => {} };

interface Line {
  readonly page: string;
  readonly text: string;
}

/** The lines of a page's code blocks, joined where a backslash ends them, less their comments. */
function codeLines(page: string): Line[] {
  const blocks = readFileSync(join(ROOT, page), "utf8").matchAll(/^```[^\n]*\n(.*?)^```/gms);
  return [...blocks].flatMap(([, block = ""]) =>
    block
      .replace(/\\\n\s*/g, "")
      .split("\n")
      .map((line) => ({ page, text: line.replace(/\s#\s.*$/, "").trim() })),
  );
}

/** As a shell parts them: at spaces, not within quotes. */
function words(text: string): string[] {
  return [...text.matchAll(/(?:[^\s'"]|'[^']*'|"[^"]*")+/g)].map(([word]) => word.replace(/['"]/g, ""));
}

/** The arguments of each `spillway` on the line. */
function invocations({ text }: Line): string[][] {
  return text
    .split(/\s(?:&&|\|\|?|;)\s/)
    .map((part) => /^(?:[A-Z_]+=\S+\s+)*(?:npx )?spillway\s+(.*)$/.exec(part)?.[1])
    .filter((rest) => rest !== undefined)
    .map((rest) => words(rest.replace(/\s[&…]$|\s>+\s*\S+$/g, "")));
}

const lines = PAGES.flatMap(codeLines);
const commands = lines.flatMap((line) => invocations(line).map((args) => ({ ...line, args })));

/** Parses as the command line does, and runs nothing. */
function parse(args: readonly string[]): void {
  const program = createProgram({ withStacks: false, exitCode: 0 });
  program.configureOutput(QUIET);
  const leaves = leavesOf(program);
  let parsed = false;
  for (const { command, name } of leaves) {
    command.configureOutput(QUIET).action(() => {
      parsed = true;
      const configured = CONFIGURED_COMMANDS.find((one) => one === name);
      // A configuration file is the reader's own.
      if (configured === undefined || args.includes("--config")) return;
      loadConfig({ command: configured, flags: givenFlags(command, configured), environment: ENVIRONMENT });
    });
  }
  program.parse([...args], { from: "user" });
  assert.ok(parsed, "no command was reached");
}

interface Leaf {
  readonly command: Command;
  /** As the table of options has it. */
  readonly name: string;
}

function leavesOf(command: Command, above: readonly string[] = []): Leaf[] {
  const path = above.filter((name) => name !== "spillway" && name !== "produce");
  if (command.commands.length === 0) return [{ command, name: [...path, command.name()].join("-") }];
  return command.commands.flatMap((below) => leavesOf(below, [...above, command.name()]));
}

test("commands are found in the pages", () => {
  assert.ok(commands.length >= 30, `${commands.length}`);
  assert.ok(commands.some(({ args }) => args[0] === "relay" && args.includes("--rule")));
});

for (const { page, text, args } of commands) {
  test(`${page}: ${text}`, () => {
    if (args.includes("--help") || args.includes("COMMAND")) return;
    parse(args);
  });
}

test("the scripts that pages run by npm are there", () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const named = lines.flatMap(({ page, text }) =>
    [...text.matchAll(/\bnpm run ([\w:-]+)/g)].map(([, script = ""]) => ({ page, script })),
  );
  assert.ok(named.length > 0);
  assert.deepEqual(
    named.filter(({ script }) => !(script in scripts)),
    [],
  );
});

test("what the command line doesn't take would be noticed", () => {
  assert.throws(() => parse(["relay", "--source", "a", "--target", "b", "--partition", "3"]), /unknown option/);
  assert.throws(() => parse(["replay"]), /unknown command/);
  assert.throws(() => parse(["relay", "--source", "a"]), /relay\.target is not set/);
  assert.throws(() => parse(["relay", "--source", "a", "--target", "b", "--rule", "header -> c"]), /relay\.rules/);
  assert.throws(() => parse(["sink", "--topic", "a", "--lanes", "0"]), /sink\.lanes/);
});
