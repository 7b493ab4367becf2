import type { OptionKey, Values } from "./option-table.ts";

/** An option that its command requires, so that `loadConfig` has made sure of it. */
export function required<K extends OptionKey>(values: Values, key: K): NonNullable<Values[K]> {
  const value = values[key];
  if (value === undefined || value === null) throw new TypeError(`${key} is used by a command that doesn't require it`);
  return value;
}
