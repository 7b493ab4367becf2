import { Command } from "commander";
import type { ConfiguredCommand } from "../config/option.ts";
import type { Values } from "../config/option-table.ts";
import { required } from "../config/required.ts";
import type { LetterFilter } from "../dead-letter/filter.ts";
import type { LetterContext } from "../dead-letter/read-letters.ts";
import { keyName } from "../dead-letter/summary.ts";
import { SpillwayError } from "../errors.ts";
import { bigintsAsText } from "../runtime/bigints-as-text.ts";
import { type CliContext, prepare } from "./context.ts";
import { EXIT } from "./exit-codes.ts";
import { addFlags } from "./flags.ts";
import { kafkaOptions } from "./kafka-options.ts";
import { boundHeap } from "./memory.ts";
import { printReport } from "./print-report.ts";
import { untilStopped } from "./stop-signals.ts";

/** What was sent is acknowledged, or sent again the next time: there is nothing to finish. */
const STOP_DEADLINE_MS = 10_000;

type DlqCommand = Extract<ConfiguredCommand, `dlq-${string}`>;

/** What a command does: yields what to print and to write as JSON. */
type Work = (asked: {
  readonly topics: readonly string[];
  readonly values: Values;
  readonly context: LetterContext;
}) => Promise<{ readonly table: string; readonly json: unknown }>;

/** `spillway dlq list`, `show` and `redrive`: what is in dead-letter topics, and back from there. */
export function dlqCommand(context: CliContext): Command {
  return new Command("dlq")
    .description("dead letters: what there is, why, and back to where they came from")
    .addCommand(command(context, "list", "count dead letters by error, key and time, or list parked keys", list))
    .addCommand(command(context, "show", "show dead letters with reason, headers, key and value", show))
    .addCommand(
      command(context, "redrive", "send dead letters to where they came from, or have parked keys redriven", redrive),
    );
}

function command(context: CliContext, name: "list" | "show" | "redrive", description: string, work: Work): Command {
  const configured: DlqCommand = `dlq-${name}`;
  const made = addFlags(new Command(name), configured)
    .description(description)
    .argument("[topic...]", "topics, or their dead-letter topics")
    .action(async (topics: string[]) => {
      boundHeap("sink");
      const { config, log } = await prepare(context, made, configured);
      const { values } = config;
      if (topics.length === 0 && values["dlq.group"] === undefined) {
        throw new SpillwayError("CONFIG_INVALID", "Whose dead letters? Name a topic");
      }
      const kafka = kafkaOptions(values);
      const done = await untilStopped({ log, deadlineMs: STOP_DEADLINE_MS }, (signal) =>
        work({ topics, values, context: { kafka, log, signal } }),
      );
      // Not all was looked at, or sent: no success.
      if (done === undefined) context.exitCode = EXIT.interrupted;
      else await printReport(done.table, JSON.stringify(done.json, bigintsAsText, 2), values["dlq.json"]);
    });
  return made;
}

const list: Work = async ({ topics, values, context }) => {
  const { listLetters, listParked } = await import("../dead-letter/list.ts");
  const { parkedTable, summaryTable } = await import("../dead-letter/tables.ts");
  if (values["dlq.parked"]) {
    const parked = await listParked(required(values, "dlq.group"), topics, context);
    return { table: parkedTable(parked), json: named(parked) };
  }
  const report = await listLetters(letterTopics(topics, values), filterOf(values), {
    ...context,
    top: values["dlq.top"],
  });
  return { table: summaryTable(report), json: report };
};

const show: Work = async ({ topics, values, context }) => {
  const { someLetters } = await import("../dead-letter/list.ts");
  const { letterText } = await import("../dead-letter/tables.ts");
  const { letterView } = await import("../dead-letter/view.ts");
  const limit = values["dlq.limit"];
  const found = await someLetters(letterTopics(topics, values), filterOf(values), { ...context, limit });
  const views = found.map(letterView);
  return { table: views.length === 0 ? "no letter fits" : views.map(letterText).join("\n\n"), json: views };
};

const redrive: Work = async ({ topics, values, context }) => {
  const { askedTable, redriveTable } = await import("../dead-letter/tables.ts");
  const group = values["dlq.group"];
  if (group !== undefined) {
    const { askForRedrive } = await import("../dead-letter/ask.ts");
    const choice = { group, topics, key: values["dlq.key"], without: values["dlq.without"] ?? [] };
    const asked = await askForRedrive({ ...choice, dryRun: values["dlq.dryRun"] }, context);
    return { table: askedTable(asked, values["dlq.dryRun"]), json: named(asked) };
  }
  const { redriveLetters } = await import("../dead-letter/redrive.ts");
  const suffix = values["sink.deadLetterSuffix"];
  const reports = [];
  for (const topic of letterTopics(topics, values)) {
    const options = {
      topic,
      sourceTopic: topic.endsWith(suffix) ? topic.slice(0, -suffix.length) : undefined,
      filter: filterOf(values),
      choice: choiceOf(values),
      to: values["dlq.to"],
      dryRun: values["dlq.dryRun"],
      recordsPerSecond: values["dlq.recordsPerSecond"],
      maxRedrives: values["dlq.maxRedrives"],
      again: values["dlq.again"],
    };
    reports.push(await redriveLetters(options, context));
  }
  return { table: reports.map(redriveTable).join("\n\n"), json: reports };
};

/** A topic's dead-letter topic, or itself if it is one. */
function letterTopics(topics: readonly string[], values: Values): readonly string[] {
  const suffix = values["sink.deadLetterSuffix"];
  return [...new Set(topics.map((topic) => (topic.endsWith(suffix) ? topic : topic + suffix)))];
}

function filterOf(values: Values): LetterFilter {
  return {
    error: values["dlq.error"],
    key: values["dlq.key"],
    since: values["dlq.since"]?.at,
    until: values["dlq.until"]?.at,
    record: values["dlq.record"],
  };
}

/** As it was given: "2h ago" is the same choice an hour later. */
function choiceOf(values: Values): unknown {
  const { "dlq.error": error, "dlq.key": key, "dlq.record": record } = values;
  const place = record === undefined ? null : `${record.topic}:${record.partition}:${record.offset}`;
  const [since, until] = [values["dlq.since"]?.text ?? null, values["dlq.until"]?.text ?? null];
  return [error ?? null, key?.toString("base64") ?? null, since, until, place];
}

function named<T extends { readonly key: Buffer }>(keys: readonly T[]): readonly (Omit<T, "key"> & { key: string })[] {
  return keys.map((one) => ({ ...one, key: keyName(one.key) }));
}
