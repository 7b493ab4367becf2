/** What the two accounts say they reached, held against what they say of their set-up. */

/** A set-up as an account describes it. */
export interface SetUp {
  /** Writes side by side. */
  readonly writers: number;
  /** Messages in each. */
  readonly batch: number;
  /** From the call to the acknowledgement, in milliseconds: the shortest and the longest it names. */
  readonly writeMs: readonly [shortest: number, longest: number];
}

export interface Claim {
  readonly what: string;
  readonly perSecond: number;
  /** Their figure is a lower bound ("500+"). */
  readonly isAtLeast: boolean;
  readonly setUp: SetUp;
}

/** Under which assumptions a figure holds. */
export interface Judgement {
  /** Messages a second that the set-up can write, with its longest and its shortest writes. */
  readonly possible: readonly [least: number, most: number];
  /** How long a write has to take for the figure to come out. */
  readonly impliedWriteMs: number;
  readonly follows: boolean;
  readonly text: string;
}

/** Roundings of the accounts, such as 5.5 messages a second for writes of 180 ms. */
const ROUNDING = 0.02;

/** Messages a second, with nothing but writes. */
export function writtenPerSecond(writers: number, batch: number, writeMs: number): number {
  return (writers * batch * 1_000) / writeMs;
}

export function judge({ perSecond, isAtLeast, setUp: { writers, batch, writeMs } }: Claim): Judgement {
  const [shortest, longest] = writeMs;
  const possible = [writtenPerSecond(writers, batch, longest), writtenPerSecond(writers, batch, shortest)] as const;
  const impliedWriteMs = (writers * batch * 1_000) / perSecond;
  const isSlowEnough = isAtLeast || perSecond >= possible[0] * (1 - ROUNDING);
  const follows = isSlowEnough && perSecond <= possible[1] * (1 + ROUNDING);
  const takes = `${Math.round(impliedWriteMs)} ms`;
  const said = shortest === longest ? `${shortest} ms` : `${shortest}–${longest} ms`;
  const shape = `${count(writers, "write")} at a time of ${count(batch, "message")}`;
  const needed = Math.ceil((perSecond * longest) / (batch * 1_000));
  const sideBySide = perSecond > possible[1] ? `, or if ${needed} run side by side` : "";
  return {
    possible,
    impliedWriteMs,
    follows,
    text: follows
      ? `follows from ${shape}, if a write takes ${isAtLeast ? "at most " : ""}${shortest === longest ? said : `${takes} of the ${said} it names`}`
      : `doesn't follow: ${shape} and ${said} make ${range(possible)} a second; it holds if a write takes ${takes}${sideBySide}`,
  };
}

const CRYPTO_MS = [50, 200] as const;
const BACKFILL_MS = [180, 180] as const;

/** In the order of the first account's ladder. */
export const CRYPTO_CLAIMS = {
  one: claim("one insert each", 3, false, 1, 1, CRYPTO_MS),
  batches: claim("batches of 50 or 5 s", 150, false, 1, 50, CRYPTO_MS),
  queue: claim("async queue of 1,000 and batches", 500, true, 1, 50, CRYPTO_MS),
  "per-topic": claim("one consumer a topic", 1_500, true, 3, 50, CRYPTO_MS),
  all: claim("all of it", 5_000, true, 3, 50, CRYPTO_MS),
} as const;

export const BACKFILL_CLAIMS = {
  one: claim("one write of 180 ms for each message", 16.5, false, 3, 1, BACKFILL_MS),
  batches: claim("batches of 25 or 1 s: expected", 410, false, 3, 25, BACKFILL_MS),
  "batches-seen": claim("batches of 25 or 1 s: seen", 330, false, 3, 25, BACKFILL_MS),
} as const;

function claim(
  what: string,
  perSecond: number,
  isAtLeast: boolean,
  writers: number,
  batch: number,
  writeMs: SetUp["writeMs"],
): Claim {
  return { what, perSecond, isAtLeast, setUp: { writers, batch, writeMs } };
}

/** What stands in an account beside its ladder. */
export function sideClaims(account: "crypto" | "backfill"): readonly string[] {
  if (account === "crypto") {
    return [
      "3 symbols polled every 3 s make 1 message a second: no row of its ladder can have been reached on its own traffic. Here topics are filled beforehand.",
    ];
  }
  const backlog = 14_500_000;
  const average = backlog / (1.5 * DAY_SECONDS);
  const days = backlog / BACKFILL_CLAIMS.one.perSecond / DAY_SECONDS;
  return [
    `14.5 million messages in 1.5 days are ${Math.round(average)} a second, as it says (110).`,
    `At 16.5 a second they take ${days.toFixed(1)} days: its 10 days of lag hold, if nothing else is written meanwhile.`,
    `178,000 messages in 3 minutes would be ${Math.round(178_000 / 180)} a second: that can't be derived from the 330 that it saw.`,
  ];
}

const DAY_SECONDS = 86_400;

function range([least, most]: readonly [number, number]): string {
  const shown = (value: number): string => (value < 20 ? value.toFixed(1) : value.toFixed(0));
  return least === most ? shown(least) : `${shown(least)}–${shown(most)}`;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
