/**
 * Each rule of `spillway advise` against what can be measured: a group that is mis-set, the advice that it is given, and
 * the same group once the advice is followed; and what the advice calls useless, tried all the same.
 * `npm run bench:advice -- --json FILE`, a few minutes; prints the tables of docs/advice.md.
 */
import { writeFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { pino } from "pino";
import { Reaper } from "../services/reaper.ts";
import { startServices } from "../services/services.ts";
import type { AdviceReport } from "../src/advice/report.ts";
import { figure } from "../src/advice/words.ts";
import { MIS_SET, type MisSet, NO_USE, type Try } from "./advice/cases.ts";
import { floodRate, repeatedByCrash } from "./advice/figures.ts";
import { askAdvice, flagsOf, type Ground, type RunningGroup, startGroup } from "./advice/group.ts";
import { buildCli, CLI } from "./built-cli.ts";
import { describeMachine } from "./machine.ts";
import { preload } from "./preload.ts";
import { quietTopic } from "./quiet-topic.ts";
import { MongoStore, Proxies } from "./sink/stores.ts";
import { rounded } from "./statistics.ts";
import { Topics } from "./topics.ts";

const RECORDS = 400_000;
const FLOOD = { records: RECORDS, warmupSeconds: 1, seconds: 4 };
const QUIET = { recordsPerSecond: 4, keys: 4, pollMs: 5, warmupMs: 2_000 };
const QUIET_SECONDS = 6;
const ADVISE_SECONDS = 4;
const DEADLINE_MS = 60 * 60_000;
const PARTITIONS = 3;

interface Followed {
  readonly rule: string;
  readonly misSet: string;
  readonly latencyMs: number;
  readonly figure: MisSet["figure"];
  readonly advised: readonly string[];
  readonly changes: string;
  readonly before: number;
  readonly after: number;
  /** Of the same unit as the figures; undefined where the advice gave none. */
  readonly expected: { readonly least: number; readonly most: number } | undefined;
}

interface Tried {
  readonly rule: string;
  readonly what: string;
  readonly documentsPerSecond: number;
  readonly advised: readonly string[];
}

const { values } = parseArgs({ options: { json: { type: "string" }, only: { type: "string" } } });
const only = values.only?.split(",");
const log = pino({ level: "warn" }, pino.destination(2));
const print = (line: string) => void process.stdout.write(`${line}\n`);
const signal = AbortSignal.timeout(DEADLINE_MS);

await buildCli(signal);
await using reaper = new Reaper();
await using services = await startServices({
  kafka: true,
  mongo: true,
  toxiproxy: true,
  own: true,
  signal,
  log: print,
});
await using topics = new Topics(services.brokers, log);
await using store = new MongoStore(services.mongoUrl);
const proxies = new Proxies(services.toxiproxy, "mongodb", new URL(services.mongoUrl).host);
const ground: Ground = { cli: CLI, kafka: topics.kafka, log, reaper, store, proxies };

const FOLLOW: Readonly<Record<MisSet["figure"], (misSet: MisSet) => Promise<Followed>>> = {
  "documents/s": (misSet) => followInFlood(misSet, (_running, _topic, rate) => rate),
  ms: followQuietly,
  "documents again": (misSet) =>
    followInFlood(misSet, (running, topic) =>
      repeatedByCrash(running, () => topics.committed(running.group, topic, PARTITIONS)),
    ),
};
/** What the advice calls it. */
const EFFECT_OF = {
  "documents/s": "records/s at most",
  ms: "ms from read to written",
  "documents again": "records repeated by a crash",
} as const;
const followed: Followed[] = [];
for (const misSet of MIS_SET.filter(({ rule }) => only?.includes(rule) ?? true)) {
  const row = await FOLLOW[misSet.figure](misSet);
  print(JSON.stringify(row));
  followed.push(row);
}
const tried: Tried[] = [];
for (const { rule, keys, tried: tries } of NO_USE.filter(({ rule }) => only?.includes(rule) ?? true)) {
  for (const one of tries) {
    const row = await tryOut(rule, one, keys);
    print(JSON.stringify(row));
    tried.push(row);
  }
}
print(`\n${followedTable(followed)}\n\n${triedTable(tried)}`);
if (values.json !== undefined) {
  const result = { machine: describeMachine(), database: services.database, followed, tried };
  await writeFile(values.json, `${JSON.stringify(result, undefined, 2)}\n`);
}

/** @param figureOf may end the group: it is asked for advice before */
async function followInFlood(
  misSet: MisSet,
  figureOf: (running: RunningGroup, topic: string, rate: number) => number | Promise<number>,
): Promise<Followed> {
  const topic = await floodTopic(PARTITIONS, undefined);
  const { figure: before, report } = await underLoad(misSet, topic, misSet.args, async (running) => {
    const rate = await floodRate(running, FLOOD);
    const asked = await askAdvice(ground, running, ADVISE_SECONDS);
    return { figure: await figureOf(running, topic, rate), report: asked };
  });
  const after = await underLoad(misSet, topic, [...misSet.args, ...flagsOf(report)], async (running) =>
    figureOf(running, topic, await floodRate(running, FLOOD)),
  );
  return rowOf(misSet, report, before, after);
}

async function followQuietly(misSet: MisSet): Promise<Followed> {
  const topic = `quiet-${misSet.rule.toLowerCase()}`;
  await topics.create(topic, PARTITIONS);
  const quiet = { ...QUIET, ...ground, topic, mongoUrl: services.mongoUrl, signal };
  const measure = async ({ place }: RunningGroup, during: () => Promise<void>) =>
    (await quietTopic({ ...quiet, place }, during)).p50Ms;
  let report: AdviceReport | undefined;
  const before = await underLoad(misSet, topic, misSet.args, (running) =>
    measure(running, async () => {
      report = await askAdvice(ground, running, QUIET_SECONDS);
    }),
  );
  if (report === undefined) throw new Error("nobody was asked");
  const after = await underLoad(misSet, topic, [...misSet.args, ...flagsOf(report)], (running) =>
    measure(running, () => pause(QUIET_SECONDS * 1_000)),
  );
  return rowOf(misSet, report, before, after);
}

async function underLoad<T>(
  { latencyMs }: MisSet,
  topic: string,
  args: readonly string[],
  work: (running: RunningGroup) => Promise<T>,
): Promise<T> {
  await using running = await startGroup(ground, { topic, latencyMs, args });
  return await work(running);
}

async function tryOut(
  rule: string,
  { what, args, instances, partitions }: Try,
  keys: number | undefined,
): Promise<Tried> {
  const topic = await floodTopic(partitions, keys);
  await using running = await startGroup(ground, { topic, latencyMs: 0, instances, args });
  const documentsPerSecond = rounded(await floodRate(running, FLOOD), 0);
  const { advice } = await askAdvice(ground, running, ADVISE_SECONDS);
  return { rule, what, documentsPerSecond, advised: advice.map(({ code }) => code) };
}

async function floodTopic(partitions: number, keys: number | undefined): Promise<string> {
  const topic = `flood-${partitions}-${keys ?? "many"}`;
  await topics.create(topic, partitions);
  const end = (await topics.end(topic)).reduce((sum, { offset }) => sum + Number(offset), 0);
  if (end === 0) {
    const what = { kafka: topics.kafka, log, topic, partitions, ...(keys === undefined ? {} : { keys }) };
    await preload({ ...what, codec: "none", records: RECORDS, batchBytes: 16_384 });
  }
  return topic;
}

function rowOf(misSet: MisSet, report: AdviceReport, before: number, after: number): Followed {
  const about = EFFECT_OF[misSet.figure];
  // Each piece of advice counts on those before it.
  const effect = report.advice.findLast(({ effect }) => effect?.of === about)?.effect;
  return {
    rule: misSet.rule,
    misSet: misSet.args.join(" "),
    latencyMs: misSet.latencyMs,
    figure: misSet.figure,
    advised: report.advice.map(({ code }) => code),
    changes: flagsOf(report).join(" "),
    before: rounded(before, 0),
    after: rounded(after, 0),
    expected: effect?.to,
  };
}

function followedTable(rows: readonly Followed[]): string {
  return markdown(
    ["rule", "mis-set", "distance", "advised", "before", "after", "expected", "held"],
    rows.map((row) => [
      ...[row.rule, `\`${row.misSet}\``, `${row.latencyMs} ms`, row.changes === "" ? "nothing" : `\`${row.changes}\``],
      ...[`${figure(row.before)} ${row.figure}`, `${figure(row.after)} ${row.figure}`],
      ...[expectedCell(row), row.advised.includes(row.rule) ? verdict(row) : `not given: ${row.advised.join(", ")}`],
    ]),
  );
}

function expectedCell({ expected }: Followed): string {
  return expected === undefined ? "–" : `${figure(expected.least)} to ${figure(expected.most)}`;
}

function verdict({ after, expected, figure: of }: Followed): string {
  if (expected === undefined) return "no figure of it";
  if (after >= expected.least && after <= expected.most) return "yes";
  return after < expected.least === (of !== "documents/s") ? "better" : "worse";
}

function triedTable(rows: readonly Tried[]): string {
  return markdown(
    ["rule", "tried", "documents/s", "advised"],
    rows.map(({ rule, what, documentsPerSecond, advised }) => [
      ...[rule, what, figure(documentsPerSecond), advised.join(", ")],
    ]),
  );
}

function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
