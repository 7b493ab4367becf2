/** @param words how many columns from the left hold words: the others are aligned to the right */
export function table(headings: readonly string[], lines: readonly (readonly string[])[], words: number): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(headings), line(headings.map((_, column) => (column < words ? "---" : "---:"))), ...lines.map(line)];
}

/** One line for each way that something was run: where its settings differ between runs, all values stand there. */
export function settingsList(
  described: readonly { readonly who: string; readonly settings: Readonly<Record<string, string>> }[],
): string[] {
  return [...Map.groupBy(described, ({ who }) => who)].map(([who, runs]) => {
    const pairs = runs.flatMap(({ settings }) => Object.entries(settings));
    const list = [...Map.groupBy(pairs, ([key]) => key)].map(
      ([key, values]) => `${key} = ${[...new Set(values.map(([, value]) => value))].join(" / ")}`,
    );
    return `- ${who}: ${list.join("; ")}`;
  });
}

export const TITLE = "# Benchmarks";

/** Parts of the page, in their order. Each is written from a result of its own, and leaves the others alone. */
export const PARTS = ["relay", "sink"] as const;
export type Part = (typeof PARTS)[number];

/** The page with one part written anew. */
export function withPart(page: string, part: Part, body: string): string {
  const bodies = new Map(PARTS.map((one) => [one, one === part ? body.trim() : bodyOf(page, one)]));
  const written = PARTS.flatMap((one) => {
    const text = bodies.get(one);
    return text === undefined ? [] : [`${begin(one)}\n\n${text}\n\n${end(one)}`];
  });
  return `${[TITLE, ...written].join("\n\n")}\n`;
}

function bodyOf(page: string, part: Part): string | undefined {
  const [from, to] = [page.indexOf(begin(part)), page.indexOf(end(part))];
  return from < 0 || to < from ? undefined : page.slice(from + begin(part).length, to).trim();
}

function begin(part: Part): string {
  return `<!-- ${part}: written by node bench/report.ts -->`;
}

function end(part: Part): string {
  return `<!-- end of ${part} -->`;
}
