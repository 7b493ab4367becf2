/** Seeds of a randomised test: `SPILLWAY_SEEDS` says how many, `SPILLWAY_SEED` one to run again. Printed by the test. */
export function seeds(inSuite: number): readonly number[] {
  const { SPILLWAY_SEED: one, SPILLWAY_SEEDS: count } = process.env;
  if (one !== undefined) return [Number(one)];
  return Array.from({ length: Number(count ?? inSuite) }, () => Math.floor(Math.random() * 2 ** 31));
}

/** A small seeded generator: mulberry32. Numbers from 0 to below 1. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
