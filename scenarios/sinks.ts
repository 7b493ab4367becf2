import { pino } from "pino";
import { aligned } from "../bench/table.ts";
import type { Reaper } from "../services/reaper.ts";
import { type LadderName, ladderOf, ladderPace } from "./ladder/catalog.ts";
import { assumptions, LADDER_HEADINGS, type LadderFigures, ladderCells, ladderFaults } from "./ladder/figures.ts";
import { openLadderPlaces } from "./ladder/places.ts";
import { playLadder } from "./ladder/play.ts";
import { PER_TOPIC_HEADINGS, type PerTopicFigures, perTopicCells, perTopicFaults } from "./per-topic/figures.ts";
import { FULL_PER_TOPIC, playPerTopic, SHORT_PER_TOPIC } from "./per-topic/play.ts";

export interface SinkScenarios {
  readonly ladders: readonly LadderFigures[];
  readonly perTopic?: PerTopicFigures;
}

interface Wanted {
  readonly ladders: readonly LadderName[];
  readonly perTopic: boolean;
  readonly isFull: boolean;
}

/** The scenarios that are about sinks: the ladders, and a consumer for each topic. */
export async function runSinks(
  { ladders: names, perTopic: isWanted, isFull }: Wanted,
  { guard, print, signal }: { guard: Reaper; print: (line: string) => void; signal: AbortSignal },
): Promise<SinkScenarios> {
  if (names.length === 0 && !isWanted) return { ladders: [] };
  const targets = new Set(names.map((name) => ladderOf(name).target));
  if (isWanted) targets.add("mongodb");
  await using places = await openLadderPlaces(targets, print, signal);
  const parts = { places, guard, log: pino({ level: "warn" }, pino.destination(2)), say: print, signal };
  const pace = ladderPace(isFull);
  const ladders: LadderFigures[] = [];
  for (const name of names) {
    const played = await playLadder(ladderOf(name), pace, parts);
    ladders.push(played);
    const rows = played.rungs.map((one) => ladderCells(one, played.isInOrder));
    print(`\n${aligned([LADDER_HEADINGS, ...rows], 1)}\n\n${played.database}. The account's figures:`);
    for (const line of assumptions(played)) print(`- ${line}`);
    for (const fault of ladderFaults(played, pace)) print(`  ✖ ${fault}`);
  }
  if (!isWanted) return { ladders };
  const perTopic = await playPerTopic(isFull ? FULL_PER_TOPIC : SHORT_PER_TOPIC, parts);
  print(`\n${aligned([PER_TOPIC_HEADINGS, ...perTopic.topics.map(perTopicCells)], 2)}`);
  for (const fault of perTopicFaults(perTopic)) print(`  ✖ ${fault}`);
  return { ladders, perTopic };
}
