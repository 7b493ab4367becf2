import { relative } from "node:path";

const SHOWN = 20;

/** Where the time of a run went: its slowest tests, and its slowest files. */
export class Durations {
  readonly #tests: { readonly what: string; readonly ms: number }[] = [];
  readonly #files: { readonly what: string; readonly ms: number }[] = [];
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  test(name: string, file: string | undefined, ms: number): void {
    this.#tests.push({ what: `${this.#nameOf(file)}: ${name}`, ms });
  }

  /** With what it takes to load it, and to start its services. */
  file(file: string | undefined, ms: number): void {
    if (file !== undefined) this.#files.push({ what: this.#nameOf(file), ms });
  }

  /** Nothing for a run of a few files. */
  lines(): readonly string[] {
    if (this.#files.length < SHOWN) return [];
    return [
      `the ${SHOWN} slowest tests:`,
      ...slowest(this.#tests),
      `the ${SHOWN} slowest files:`,
      ...slowest(this.#files),
    ];
  }

  #nameOf(file: string | undefined): string {
    return file === undefined ? "unknown file" : relative(this.#root, file);
  }
}

function slowest(all: readonly { readonly what: string; readonly ms: number }[]): readonly string[] {
  const sorted = all.toSorted((a, b) => b.ms - a.ms).slice(0, SHOWN);
  return sorted.map(({ what, ms }) => `${(ms / 1_000).toFixed(1).padStart(7)} s  ${what}`);
}
