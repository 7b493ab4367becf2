import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";

/** One change to a file of a Go module, made in a copy at build time. */
export interface Fix {
  readonly file: string;
  readonly before: string;
  readonly after: string;
  /** How often `before` must be found: any other count means that this is not the code the fix was written for. */
  readonly count: number;
}

export function applyFix(fix: Fix, text: string): string {
  const parts = text.split(fix.before);
  if (parts.length - 1 !== fix.count) {
    throw new Error(`${fix.file}: found ${parts.length - 1} times instead of ${fix.count}: ${fix.before.trim()}`);
  }
  return parts.join(fix.after);
}

/** Go's module cache is read-only, folders too: a plain recursive copy could be neither edited nor removed. */
export async function copyModule(from: string, to: string, fixes: readonly Fix[]): Promise<void> {
  for (const entry of await readdir(from, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const source = join(entry.parentPath, entry.name);
    const target = join(to, relative(from, source));
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, await readFile(source));
  }
  for (const fix of fixes) {
    const file = join(to, fix.file);
    await writeFile(file, applyFix(fix, await readFile(file, "utf8")));
  }
}
