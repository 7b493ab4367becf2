/** A replacer for JSON.stringify, which knows no bigints: a JSON number could not hold every offset either. */
export function bigintsAsText(_name: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}
