/**
 * Random numbers that depend on nothing but their arguments, so that record number n of a plan is the same whenever and
 * in whatever order it is asked for. `stream` keeps the numbers for different purposes apart.
 */
export function randomUint32(seed: number, stream: number, index: number): number {
  const start = mix(seed ^ Math.imul(stream + 1, GOLDEN));
  return mix((start + Math.imul(index, GOLDEN)) | 0);
}

/** The same as a fraction: 0 ≤ x < 1. */
export function randomFraction(seed: number, stream: number, index: number): number {
  return randomUint32(seed, stream, index) / 0x1_0000_0000;
}

/** A normally distributed number with mean 0 and deviation 1 (Box-Muller). */
export function randomNormal(seed: number, stream: number, index: number): number {
  const radius = Math.sqrt(-2 * Math.log(1 - randomFraction(seed, stream, 2 * index)));
  return radius * Math.cos(2 * Math.PI * randomFraction(seed, stream, 2 * index + 1));
}

const GOLDEN = 0x9e3779b9;

/** The finaliser of MurmurHash3: every bit of the input changes every bit of the output with probability one half. */
function mix(x: number): number {
  let h = x;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
