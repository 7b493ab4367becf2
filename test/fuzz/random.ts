import { randomOf } from "../helpers/seeds.ts";

/** Numbers from 0 to below 1. */
export type Random = () => number;

/** The generator of one case: it can be run again without those before it. */
export function randomOfCase(seed: number, index: number): Random {
  const random = randomOf(Math.imul(index + 1, 0x9e3779b1) ^ seed);
  random(); // cases that follow each other begin with seeds that are alike
  return random;
}

export function below(random: Random, limit: number): number {
  return Math.floor(random() * limit);
}

export function chance(random: Random, probability: number): boolean {
  return random() < probability;
}

export function oneOf<T>(random: Random, choices: readonly T[]): T {
  const chosen = choices[below(random, choices.length)];
  if (chosen === undefined) throw new RangeError("nothing to choose from");
  return chosen;
}

export function randomBytes(random: Random, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at++) bytes[at] = below(random, 256);
  return bytes;
}
