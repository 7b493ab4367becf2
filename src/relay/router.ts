import type { RecordBatch } from "../record-batch/batch.ts";
import type { RecordCursor } from "../record-batch/record-cursor.ts";
import { keyReaderOf, type Matcher, matcherOf, type Rule, type TargetTopic } from "./routing.ts";

/** Where a record goes, by the first rule that fits. */
export interface Route<Target> {
  readonly to: Target | "drop";
  readonly newKey: ((cursor: RecordCursor) => Uint8Array | undefined) | undefined;
}

/** Rules made ready for millions of records: the way to a target is looked up once and not for each. */
export class Router<Target> {
  readonly #rules: readonly { readonly matches: Matcher; readonly route: Route<Target> }[];
  readonly #otherwise: Route<Target>;

  /** @param open gives what stands for a topic; called once for each rule, and for the main target */
  constructor(rules: readonly Rule[], main: TargetTopic, open: (topic: TargetTopic) => Target) {
    this.#otherwise = { to: open(main), newKey: undefined };
    this.#rules = rules.map(({ when, to, key }) => ({
      matches: matcherOf(when),
      route: { to: to === "drop" ? to : open(to), newKey: key === undefined ? undefined : keyReaderOf(key) },
    }));
  }

  /** Those of the rules in their order, then the one of what fits none. `route` returns one of them. */
  get routes(): readonly Route<Target>[] {
    return [...this.#rules.map(({ route }) => route), this.#otherwise];
  }

  route(cursor: RecordCursor, batch: RecordBatch, nowMs: number): Route<Target> {
    for (const { matches, route } of this.#rules) if (matches(cursor, batch, nowMs)) return route;
    return this.#otherwise;
  }
}
