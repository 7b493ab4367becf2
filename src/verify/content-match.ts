import type { ExamplePlace, Findings } from "./report.ts";

/** What one content was found as: its places in the sources, in their order, and how many of them the target has. */
interface Entry {
  readonly places: ExamplePlace[];
  /** How many of the places must be in the target; the others lie behind the ends that are verified. */
  expected: number;
  /** Seen in the target. */
  taken: number;
}

/**
 * Matches records without an origin by their content, for as many as fit into memory at once. The n-th record of a
 * content in the target stands for the n-th in the sources; from there on it is judged as by provenance: see
 * `TargetLedger`. Only contents that are unique have an order.
 */
export class ContentMatch {
  readonly #entries = new Map<string, Entry>();
  readonly #highest = new Map<string, number>();
  readonly #findings: Findings;
  later = 0;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  addSource(place: ExamplePlace, content: Buffer, isExpected: boolean): void {
    const key = nameOf(content);
    const entry = this.#entries.get(key) ?? { places: [], expected: 0, taken: 0 };
    entry.places.push(place);
    if (isExpected) entry.expected++;
    this.#entries.set(key, entry);
  }

  /** @param key its hash, undefined where order doesn't count: without a key, or in a wrong partition */
  takeTarget(place: ExamplePlace, content: Buffer, key: number | undefined): void {
    const entry = this.#entries.get(nameOf(content));
    if (entry === undefined) {
      this.#findings.add("foreign", () => place);
      return;
    }
    const source = entry.places[entry.taken++];
    if (source === undefined) {
      this.#findings.add("duplicated", () => place);
      return;
    }
    if (entry.taken > entry.expected) this.later++;
    // Which of several it is that look the same nobody can tell.
    if (key === undefined || entry.places.length > 1) return;
    const where = [key, place.topic, place.partition, source.topic, source.partition].join("/");
    if (source.offset < (this.#highest.get(where) ?? -1)) this.#findings.add("outOfOrder", () => place);
    else this.#highest.set(where, source.offset);
  }

  /** Once all of the target's records were taken. */
  finish(): void {
    for (const { places, expected, taken } of this.#entries.values()) {
      for (const place of places.slice(taken, expected)) this.#findings.add("missing", () => place);
    }
  }
}

function nameOf(content: Buffer): string {
  return content.toString("latin1", 0, 20);
}
