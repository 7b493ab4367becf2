/** @throws TypeError for what isn't a number above 0 */
export function positive(name: string, value: string): number {
  const number = Number(value);
  if (!(number > 0)) throw new TypeError(`--${name} takes a number above 0, not ${value}`);
  return number;
}

/** A list of some of `all`, which it is unless given. @throws TypeError for what isn't one of them */
export function some<T extends string>(name: string, value: string | undefined, all: readonly T[]): readonly T[] {
  if (value === undefined) return all;
  return value.split(",").map((item) => {
    const found = all.find((one) => one === item);
    if (found === undefined) throw new TypeError(`--${name} takes some of ${all.join()}, not ${item}`);
    return found;
  });
}
