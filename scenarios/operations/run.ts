import { pino } from "pino";
import { aligned } from "../../bench/table.ts";
import type { Reaper } from "../../services/reaper.ts";
import { openPlaces } from "../places.ts";
import { FULL_OPERATIONS, type OperationName, SHORT_OPERATIONS } from "./catalog.ts";
import { OPERATION_HEADINGS, type OperationFigures, operationCells, operationFaults } from "./figures.ts";
import { playOperation } from "./play.ts";

interface Wanted {
  readonly operations: readonly OperationName[];
  readonly compose: boolean;
  readonly seed: number;
  readonly isFull: boolean;
}

/** The scenarios of relay and sinks in operation, each on topics of its own. */
export async function runOperations(
  { operations: names, compose, seed, isFull }: Wanted,
  { guard, print, signal }: { guard: Reaper; print: (line: string) => void; signal: AbortSignal },
): Promise<readonly OperationFigures[]> {
  if (names.length === 0) return [];
  await using places = await openPlaces({ compose, log: print, signal });
  const log = pino({ level: "warn" }, pino.destination(2));
  const parts = { places, guard, log, say: print, signal, seed };
  const played: OperationFigures[] = [];
  for (const name of names) {
    const figures = await playOperation(name, isFull ? FULL_OPERATIONS : SHORT_OPERATIONS, parts);
    played.push(figures);
    for (const fault of operationFaults(figures)) print(`  ✖ ${fault}`);
  }
  print(`\n${aligned([OPERATION_HEADINGS, ...played.map(operationCells)], 1)}`);
  return played;
}
