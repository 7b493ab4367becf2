import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { CONFIGURED_COMMANDS, type ConfiguredCommand, type Option } from "../../../src/config/option.ts";
import { fileVariable, OPTION_KEYS, type OptionKey, optionOf } from "../../../src/config/option-table.ts";

const DOC = new URL("../../../docs/configuration.md", import.meta.url);

const INTRODUCTION = `Every option of every command, generated from the table that the commands themselves go by (\`src/config/options\`).

- **A flag wins over the environment, that over the YAML file** (\`--config FILE\` or \`SPILLWAY_CONFIG\`), that over the default. \`spillway config COMMAND\` shows what is in force and where it comes from; secrets are masked.
- **In YAML** the dots are levels: \`kafka.brokers\` is \`brokers\` under \`kafka\`. Times take \`500ms\`, \`30s\`, \`5min\`, sizes \`512KiB\`, \`4MiB\`.
- **A switch** has a flag for each position: \`--no-…\` is the other. A list is given several times, or with commas.
- **Secrets** have no flag, since anybody on the machine can read a process's arguments. \`…_FILE\` names a file that holds the secret.

Why the defaults are what they are: [settings.md](settings.md).`;

/** As it is typed. */
function typed(command: ConfiguredCommand): string {
  if (command === "prices" || command === "backfill") return `produce ${command}`;
  return command.replace("dlq-", "dlq ");
}

function sectionOf(key: OptionKey): string {
  return key.slice(0, key.indexOf("."));
}

/** A cell of a table in which nothing is markup. */
function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("<", "&lt;").replaceAll("*", "\\*");
}

function takenBy({ commands }: Option<unknown>): string {
  const others = CONFIGURED_COMMANDS.filter((command) => !commands.includes(command));
  if (others.length === 0) return "all";
  if (others.length < 3) return `all but ${others.map(typed).join(" and ")}`;
  return commands.map(typed).join(", ");
}

function row(key: OptionKey): string {
  const option = optionOf(key);
  const { flag, env, kind, default: preset, unit, requiredBy = [], description } = option;
  const file = fileVariable(option);
  const value = preset === undefined ? "" : `\`${String(preset)}\`${unit === undefined ? "" : ` ${unit}`}`;
  const required = requiredBy.length === 0 ? "" : "required";
  return [
    `\`${key}\``,
    flag === undefined ? "" : `\`${flag}\``,
    `\`${env}\`${file === undefined ? "" : `, \`${file}\``}`,
    value === "" ? required : value,
    takenBy(option),
    cell(`${description}. Allowed: ${kind.allowed}`),
  ]
    .map((text) => ` ${text} `)
    .join("|")
    .replace(/^(.*)$/, "|$1|");
}

function page(): string {
  const sections = Map.groupBy(OPTION_KEYS, sectionOf);
  const tables = [...sections].map(([section, keys]) =>
    [
      `## ${section}`,
      "",
      "| YAML | flag | environment | default | commands | meaning |",
      "|---|---|---|---|---|---|",
      ...keys.map(row),
    ].join("\n"),
  );
  const commands = CONFIGURED_COMMANDS.map((command) => {
    const taken = OPTION_KEYS.filter((key) => optionOf(key).commands.includes(command)).map((key) => `\`${key}\``);
    return `- **${typed(command)}**: ${taken.join(", ")}`;
  });
  return [
    "# Configuration",
    INTRODUCTION,
    ...tables,
    "## By command",
    `Those of \`log\` and \`kafka\` included.\n\n${commands.join("\n")}`,
  ].join("\n\n");
}

test("every option is in docs/configuration.md as it is (SPILLWAY_WRITE_DOCS=1 writes it)", () => {
  const text = `${page()}\n`;
  if (process.env["SPILLWAY_WRITE_DOCS"] === "1") writeFileSync(DOC, text);
  const [wanted, there] = [text.split("\n"), readFileSync(DOC, "utf8").split("\n")];
  const at = wanted.findIndex((line, i) => line !== there[i]);
  assert.equal(there[at], wanted[at], "the first line that differs");
  assert.equal(there.length, wanted.length);
});

test("the page names each option once, with its flag and its variable", () => {
  const rows = readFileSync(DOC, "utf8")
    .split("\n")
    .filter((line) => line.startsWith("| `"));
  assert.equal(rows.length, OPTION_KEYS.length);
  for (const key of OPTION_KEYS) {
    const { flag, env } = optionOf(key);
    const mine = rows.filter((line) => line.startsWith(`| \`${key}\` |`));
    assert.equal(mine.length, 1, key);
    assert.ok(mine[0]?.includes(`\`${env}\``) && (flag === undefined || mine[0].includes(`\`${flag}\``)), key);
  }
});
