import type { InFlightRecord } from "./progress.ts";

/** Something to do in the lane of a key, between its records. */
export interface KeyWork {
  readonly run: () => Promise<void>;
}

export type LaneItem = InFlightRecord | KeyWork;

export function bytesOfItem(item: LaneItem): number {
  return isRecord(item) ? item.bytes : 0;
}

/** Writes a lane's batch, and does what stands between its records in its turn. */
export async function writeInTurn(
  batch: readonly LaneItem[],
  write: (records: readonly InFlightRecord[]) => Promise<void>,
): Promise<void> {
  if (batch.every(isRecord)) return await write(batch);
  let records: InFlightRecord[] = [];
  for (const item of batch) {
    if (isRecord(item)) {
      records.push(item);
      continue;
    }
    if (records.length > 0) await write(records);
    records = [];
    await item.run();
  }
  if (records.length > 0) await write(records);
}

function isRecord(item: LaneItem): item is InFlightRecord {
  return "record" in item;
}

/** Lets so many pieces of work begin, and each other one when one has ended. */
export class Turns {
  readonly #limit: number;
  readonly #waiting: (() => void)[] = [];
  #underWay = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @param begin is given the work when it is its turn, for its lane */
  add(run: () => Promise<void>, begin: (work: KeyWork) => void): void {
    const work = {
      run: async () => {
        await run();
        this.#underWay--;
        this.#next();
      },
    };
    this.#waiting.push(() => begin(work));
    this.#next();
  }

  #next(): void {
    if (this.#underWay >= this.#limit) return;
    const begin = this.#waiting.shift();
    if (begin === undefined) return;
    this.#underWay++;
    begin();
  }
}
