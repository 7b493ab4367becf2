/** Figures as people read them: two digits that count, or whole numbers. */
export function figure(value: number): string {
  if (value === 0 || Math.abs(value) >= 100) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(2)));
}

export function percent(share: number): string {
  return `${figure(100 * share)} %`;
}

export function amount(count: number, name: string): string {
  return `${figure(count)} ${name}${count === 1 ? "" : "s"}`;
}
