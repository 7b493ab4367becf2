/** Figures as people read them. */

const SIZES = ["bytes", "kB", "MB", "GB", "TB", "PB"] as const;

export function bytesInWords(bytes: number): string {
  let [value, unit] = [bytes, 0];
  for (; value >= 999.5 && unit < SIZES.length - 1; unit++) value /= 1_000;
  return `${unit === 0 || value >= 99.5 ? Math.round(value) : Number(value.toPrecision(2))} ${SIZES[unit]}`;
}

const SPANS: readonly (readonly [number, string])[] = [
  [365 * 86_400_000, "years"],
  [86_400_000, "days"],
  [3_600_000, "hours"],
  [60_000, "minutes"],
  [1_000, "seconds"],
];

export function timeInWords(ms: number): string {
  const [size, name] = SPANS.find(([span]) => ms >= 1.5 * span) ?? [1, "ms"];
  return `${Number((ms / size).toPrecision(ms / size >= 100 ? 3 : 2))} ${name}`;
}

export function percent(share: number): string {
  const value = share * 100;
  return `${value > 0 && value < 0.1 ? "less than 0.1" : Number(value.toFixed(value < 10 ? 1 : 0))} %`;
}

export function count(records: number): string {
  return Math.round(records).toLocaleString("en-US");
}
