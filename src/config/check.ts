import type { ConfiguredCommand } from "./option.ts";
import type { OptionKey, Values } from "./option-table.ts";

/** The options as far as they are valid by themselves. */
export interface CheckedOptions {
  /** Whose options are checked; nothing is required without one. */
  readonly command: ConfiguredCommand | undefined;
  readonly values: Values;
  /** By somebody: a default doesn't count. Also true for something that isn't allowed, which has been reported then. */
  isSet(key: OptionKey): boolean;
  /** The key and where its value comes from. */
  name(key: OptionKey): string;
}

/** Looks at values that are each fine by themselves. */
export interface Check {
  readonly commands: readonly ConfiguredCommand[];
  readonly kind: "problem" | "warning";
  find(options: CheckedOptions): readonly Finding[];
}

/** One sentence, or false where all is well. */
export type Finding = string | false;

type NumberKey = { [K in OptionKey]: Values[K] extends number | undefined ? K : never }[OptionKey];

export function mustBeBelow(options: CheckedOptions, small: NumberKey, large: NumberKey): Finding {
  return compare(options, small, large, (a, b) => a < b, "must be below");
}

export function mustNotExceed(options: CheckedOptions, small: NumberKey, large: NumberKey): Finding {
  return compare(options, small, large, (a, b) => a <= b, "must not exceed");
}

function compare(
  { values, name }: CheckedOptions,
  left: NumberKey,
  right: NumberKey,
  holds: (left: number, right: number) => boolean,
  relation: string,
): Finding {
  const [a, b] = [values[left], values[right]];
  if (a === undefined || b === undefined || holds(a, b)) return false;
  return `${name(left)} is ${a}, but ${relation} ${name(right)}, which is ${b}`;
}
