import { escaped } from "./curves.ts";

/** A row of a table in HTML. */
export function row(texts: readonly string[], cell: "td" | "th"): string {
  return `<tr>${texts.map((text) => `<${cell}>${escaped(text)}</${cell}>`).join("")}</tr>`;
}

export function table(heading: string, rows: readonly string[]): string {
  return `<table><thead>${heading}</thead><tbody>${rows.join("")}</tbody></table>`;
}
