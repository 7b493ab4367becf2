import type { FetchedPartition } from "../kafka/source.ts";
import { type OnPoison, type RecordBatch, readBatches } from "../record-batch/batch.ts";
import type { Codec } from "../record-batch/layout.ts";
import { RecordCursor } from "../record-batch/record-cursor.ts";
import { advance, timestampOf } from "../record-batch/records.ts";
import { type Route, Router } from "../relay/router.ts";
import { type Rule, targetsOf } from "../relay/routing.ts";
import { GrowthMeter } from "./growth.ts";
import { KeyCounter, nameOf } from "./key-counter.ts";
import type { Sample } from "./sample.ts";
import type { OffsetRange } from "./slices.ts";
import { TargetCounter } from "./target-counter.ts";

/** A record's length, attributes, offset and timestamp: about that much. */
const RECORD_OVERHEAD = 10;

export interface SampleOptions {
  readonly source: string;
  readonly target: string;
  readonly partitions: number;
  readonly rules?: readonly Rule[];
  readonly codec: Codec | "source";
  readonly provenance: boolean;
}

interface RouteCount {
  readonly to: string;
  records: number;
  bytes: number;
  weight: number;
}

/** Sends a sample of records through the rules, and counts what would become of them. Nothing is read here. */
export class SampleCounter {
  readonly #options: SampleOptions;
  readonly #router: Router<TargetCounter>;
  readonly #targets: ReadonlyMap<string, TargetCounter>;
  readonly #routes: ReadonlyMap<Route<TargetCounter>, RouteCount>;
  readonly #keys: KeyCounter;
  readonly #growth: GrowthMeter;
  readonly #cursor = new RecordCursor();
  readonly #nowMs: number;
  readonly #partitions = new Set<number>();
  #records = 0;
  #bytes = 0;
  #weight = 0;
  #keylessWeight = 0;
  #unreadable = 0;
  #isWhole = true;

  constructor(options: SampleOptions, sourcePartitions: number, nowMs: number) {
    this.#options = options;
    this.#nowMs = nowMs;
    const { target: topic, partitions, rules = [] } = options;
    this.#targets = new Map(targetsOf(options).map((to) => [to.topic, new TargetCounter(to)]));
    this.#router = new Router(rules, { topic, partitions }, (to) => this.#targets.get(to.topic) as TargetCounter);
    this.#routes = new Map(
      this.#router.routes.map((route) => [
        route,
        { to: route.to === "drop" ? "drop" : route.to.topic, records: 0, bytes: 0, weight: 0 },
      ]),
    );
    this.#keys = new KeyCounter(sourcePartitions);
    this.#growth = new GrowthMeter(options);
  }

  get records(): number {
    return this.#records;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Counts what of a fetched part lies in the slice, up to so many records. Each stands for as many of the slice as were
   * not read. A batch that can't be read is counted, and the others are.
   */
  add(fetched: FetchedPartition, slice: OffsetRange, most: number): void {
    this.#partitions.add(fetched.partition);
    this.#bytes += fetched.batches.length;
    let found = 0;
    this.#walk(fetched, slice, most, {
      record: () => found++,
      batch: (batch) => this.#growth.add(batch, fetched.topicId),
      poison: () => this.#unreadable++,
    });
    const isWhole = fetched.nextOffset >= slice.end && found < most;
    this.#isWhole &&= isWhole;
    const weight = isWhole ? 1 : Number(slice.end - slice.begin) / Math.max(1, found);
    const count = (batch: RecordBatch) => this.#count(batch, weight);
    this.#walk(fetched, slice, most, { record: count, batch: () => {}, poison: () => {} });
  }

  /** @param windows that were read; `missing`: that were not, or not all of their partitions */
  finish(of: Sample["of"], windows: number, missing: boolean): Sample {
    return {
      of,
      records: this.#records,
      bytes: this.#bytes,
      partitions: this.#partitions.size,
      windows,
      isWhole: this.#isWhole && !missing,
      unreadable: this.#unreadable,
      weight: this.#weight,
      keylessWeight: this.#keylessWeight,
      keys: this.#keys.counted,
      routes: [...this.#routes.values()],
      targets: new Map([...this.#targets].map(([topic, counter]) => [topic, counter.counted])),
      growth: this.#growth.ratio,
    };
  }

  #walk(
    fetched: FetchedPartition,
    { begin, end }: OffsetRange,
    most: number,
    on: {
      readonly record: (batch: RecordBatch) => void;
      readonly batch: (batch: RecordBatch) => void;
      readonly poison: OnPoison;
    },
  ): void {
    let found = 0;
    for (const batch of readBatches(fetched, on.poison)) {
      on.batch(batch);
      this.#cursor.open(batch);
      while (advance(this.#cursor, batch, on.poison)) {
        const offset = batch.baseOffset + BigInt(this.#cursor.offsetDelta);
        if (offset < begin) continue;
        if (offset >= end || found === most) return;
        found++;
        on.record(batch);
      }
    }
  }

  #count(batch: RecordBatch, weight: number): void {
    const cursor = this.#cursor;
    const size = cursor.recordEnd - cursor.keyField + RECORD_OVERHEAD;
    this.#records++;
    this.#weight += weight;
    const route = this.#router.route(cursor, batch, this.#nowMs);
    const counted = this.#routes.get(route);
    if (counted !== undefined) {
      counted.records++;
      counted.bytes += size;
      counted.weight += weight;
    }
    const ownKey = cursor.keyStart < 0 ? undefined : cursor.bytes.subarray(cursor.keyStart, cursor.keyEnd);
    const ownName = ownKey === undefined ? undefined : nameOf(ownKey);
    const newKey = route.to === "drop" ? undefined : route.newKey?.(cursor);
    const newName = newKey === undefined ? ownName : nameOf(Buffer.from(newKey));
    if (ownKey === undefined || ownName === undefined) this.#keylessWeight += weight;
    else this.#keys.add(ownKey, ownName, batch.partition, wayOf(route, ownName, newName));
    if (route.to === "drop") return;
    const key = newKey ?? ownKey;
    route.to.add(
      {
        bytes: key ?? cursor.bytes,
        keyStart: key === undefined ? -1 : 0,
        keyEnd: key?.length ?? -1,
        keyName: newName,
        timestamp: Number(timestampOf(cursor, batch)),
        size,
        isCompressed: (this.#options.codec === "source" ? batch.codec : this.#options.codec) !== "none",
      },
      weight,
    );
  }
}

/** Under a new key a record goes another way than under its own, even into the same topic. */
function wayOf(route: Route<TargetCounter>, ownKey: string, newKey: string | undefined): string | undefined {
  if (route.to === "drop") return undefined;
  return newKey === ownKey ? route.to.topic : `${route.to.topic} by ${newKey}`;
}
