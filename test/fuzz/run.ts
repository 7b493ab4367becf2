import { setImmediate as nextTurn } from "node:timers/promises";
import { bombsOf } from "./bombs.ts";
import { checkInput, type Outcome } from "./check.ts";
import { bombInput, type HostileInput, hostileInput } from "./input.ts";
import { type Random, randomOfCase } from "./random.ts";
import { makeSpecimens } from "./specimens.ts";

export interface FuzzOptions {
  readonly seed: number;
  /** The first case: a case is the same whatever cases ran before it. */
  readonly from: number;
  readonly cases: number;
  /** Told of each case before it runs. */
  readonly begin?: (index: number) => void;
}

export interface FuzzReport {
  cases: number;
  /** Cases in which something could not be read. */
  refused: number;
  records: number;
  decompressedBytes: number;
  transcodedBytes: number;
  slowestMs: number;
  slowestCase: number;
}

/** CPU time that the thread may spend on a case, however large what it decompresses to. */
const MOST_MS_PER_CASE = 2_000;
/** Of what goes in, and of what comes out of it. Frames and blocks without content take their time, too. */
const MOST_MS_PER_MEBIBYTE_IN = 4_000;
const MOST_MS_PER_MEBIBYTE_OUT = 500;
const SPECIMENS = 200;
const FIRST_BOMB = 100;
const CASES_PER_TURN = 64;
const LARGE_BYTES = 100_000;

/** A case that went wrong: its number is all that is needed to run it again. */
export class FuzzFailure extends Error {
  readonly index: number;

  constructor(index: number, what: readonly string[], cause: unknown) {
    super(`case ${index} (${what.join("; ") || "unchanged"}): ${cause instanceof Error ? cause.stack : cause}`, {
      cause,
    });
    this.index = index;
  }
}

/** @throws FuzzFailure for the first case that goes wrong */
export async function runCases({ seed, from, cases, begin = () => undefined }: FuzzOptions): Promise<FuzzReport> {
  const specimens = makeSpecimens(randomOfCase(seed, -1), SPECIMENS);
  const report = newReport();
  for (let index = from; index < from + cases; index++) {
    begin(index);
    const random = randomOfCase(seed, index);
    const input = hostileInput(random, specimens);
    await runCase(report, index, input, random);
  }
  return report;
}

/** Bombs of every kind that grow to this size, as cases below 0. @throws FuzzFailure */
export async function runBombs(size: number, begin: (index: number) => void = () => undefined): Promise<FuzzReport> {
  const report = newReport();
  for (const [i, bomb] of bombsOf(size).entries()) {
    const index = i - FIRST_BOMB;
    begin(index);
    await runCase(report, index, bombInput(bomb), randomOfCase(0, index));
  }
  return report;
}

async function runCase(report: FuzzReport, index: number, input: HostileInput, random: Random): Promise<void> {
  let outcome: Outcome;
  try {
    const before = process.threadCpuUsage();
    outcome = checkInput(input, random);
    const { user, system } = process.threadCpuUsage(before);
    count(report, index, outcome, input.batches.length, (user + system) / 1_000);
  } catch (error) {
    throw new FuzzFailure(index, input.what, error);
  }
  // A codec's native memory comes back in another turn of the event loop, which follows each fetch in earnest, too.
  if (index % CASES_PER_TURN === 0 || outcome.decompressedBytes > LARGE_BYTES) await nextTurn();
}

function count(report: FuzzReport, index: number, outcome: Outcome, bytesIn: number, ms: number): void {
  const { decompressedBytes, transcodedBytes } = outcome;
  const bytesOut = decompressedBytes + transcodedBytes;
  const most =
    MOST_MS_PER_CASE + (MOST_MS_PER_MEBIBYTE_IN * bytesIn + MOST_MS_PER_MEBIBYTE_OUT * bytesOut) / (1024 * 1024);
  if (ms > most) throw new Error(`it took ${ms} ms, for ${bytesIn} bytes in and ${bytesOut} bytes out`);
  report.cases++;
  if (outcome.error !== undefined || outcome.poisoned > 0) report.refused++;
  report.records += outcome.records;
  report.decompressedBytes += decompressedBytes;
  report.transcodedBytes += transcodedBytes;
  if (ms > report.slowestMs) {
    report.slowestMs = Math.round(ms);
    report.slowestCase = index;
  }
}

function newReport(): FuzzReport {
  return {
    cases: 0,
    refused: 0,
    records: 0,
    decompressedBytes: 0,
    transcodedBytes: 0,
    slowestMs: 0,
    slowestCase: 0,
  };
}
