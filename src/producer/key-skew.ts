import { SpillwayError } from "../errors.ts";

/** How unevenly records fall on keys. */
export type KeySkew =
  /** The key of rank r gets a share in proportion to r^-exponent; 0 spreads evenly. */
  | { readonly kind: "zipf"; readonly exponent: number }
  /** The hottest key gets this share, all others the same share of the rest. */
  | { readonly kind: "hottest"; readonly share: number };

/** Entry r is the share of records that fall on the keys of rank 0 to r. Eight bytes a key. */
export type KeyShares = Float64Array;

export function keyShares(keys: number, skew: KeySkew): KeyShares {
  if (!Number.isSafeInteger(keys) || keys < 1) {
    throw new SpillwayError("CONFIG_INVALID", `the number of keys is ${keys}, but must be a positive integer`);
  }
  const weightOf = weights(keys, skew);
  const shares = new Float64Array(keys);
  let sum = 0;
  for (let rank = 0; rank < keys; rank++) {
    sum += weightOf(rank);
    shares[rank] = sum;
  }
  for (let rank = 0; rank < keys; rank++) shares[rank] = (shares[rank] as number) / sum;
  return shares;
}

/** The rank of the key for a random fraction. */
export function rankFor(shares: KeyShares, fraction: number): number {
  let low = 0;
  let high = shares.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((shares[middle] as number) > fraction) high = middle;
    else low = middle + 1;
  }
  return low;
}

function weights(keys: number, skew: KeySkew): (rank: number) => number {
  if (skew.kind === "zipf") {
    const { exponent } = skew;
    if (!(exponent >= 0 && exponent <= 10)) {
      throw new SpillwayError("CONFIG_INVALID", `the skew's exponent is ${exponent}, but must be between 0 and 10`);
    }
    return (rank) => (rank + 1) ** -exponent;
  }
  const { share } = skew;
  if (!(share > 0 && share <= 1)) {
    throw new SpillwayError("CONFIG_INVALID", `the hottest key's share is ${share}, but must be above 0 and at most 1`);
  }
  return (rank) => (rank === 0 ? share : (1 - share) / (keys - 1));
}
