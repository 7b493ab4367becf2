const BARS = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"] as const;

/** A row of bars, one for each value, the greatest being the highest; nothing waits where there is a dot. */
export function sparkline(values: readonly number[]): string {
  const most = Math.max(0, ...values);
  return values.map((value) => (value <= 0 ? "·" : BARS[Math.ceil((value / most) * BARS.length) - 1])).join("");
}
