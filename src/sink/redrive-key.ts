import type { Letter } from "../dead-letter/letter.ts";
import { originText, sourceRecord } from "../dead-letter/letter.ts";
import type { ParkedKeyName, ParkedState, RedriveRequest } from "../dead-letter/parked-key.ts";
import { SpillwayError } from "../errors.ts";
import { type BatchWriterParts, writeRecords } from "./batch-writer.ts";
import type { ParkedKeys } from "./parked-keys.ts";
import { byOffset, type DeadRecord } from "./plan.ts";
import { detached } from "./progress.ts";

export interface RedriveParts extends BatchWriterParts {
  readonly keys: ParkedKeys;
  readonly batchRecords: number;
  readonly batchBytes: number;
  /** Aborted when the generation is over: the request waits for whoever has the partition next. */
  readonly stop: AbortSignal;
}

/**
 * Writes the letters of a parked key, in their order, and lets the key flow again when none is left. It runs in the key's
 * lane, so nothing of the key is written beside it, and no letter of it is added.
 *
 * At the first letter that is a data error again it ends: the key stays parked, from that letter on. What is written
 * twice, after a crash, finds itself there by id or version.
 *
 * @throws as `writeBatch`, and what reading the dead letters meets for good
 */
export async function redriveKey(name: ParkedKeyName, request: RedriveRequest, parts: RedriveParts): Promise<void> {
  const { keys, stop, log } = parts;
  const { topic, partition } = name;
  const state = keys.stateOf(name);
  if (state?.state === "parked") {
    const redriving = new Redriving(name, state, request, parts);
    try {
      if (!(await redriving.run())) return;
    } catch (error) {
      if (!areLost(error)) throw error;
      log.error(
        { topic, partition, origin: state.origin, error: error.message },
        "a parked key stays parked: its letters are gone; redrive it --without this origin to let it flow without them",
      );
      await keys.answered(name);
      return;
    }
    const { written, leftOut, failed, through } = redriving;
    const counts = { topic, partition, origin: state.origin, written, leftOut };
    if (failed === undefined) {
      await keys.reopen(name, state, through);
      log.info(counts, "a parked key was redriven: it flows again");
    } else {
      await keys.keep(name, failed);
      log.warn(
        { ...counts, reason: failed.code, at: failed.origin },
        "a parked key stays parked: a letter of it fails",
      );
    }
  }
  if (!stop.aborted) await keys.answered(name);
}

/** The letters were deleted, by retention or by somebody. */
function areLost(error: unknown): error is SpillwayError {
  return error instanceof SpillwayError && (error.code === "TOPIC_MISSING" || error.code === "OFFSET_OUT_OF_RANGE");
}

class Redriving {
  written = 0;
  leftOut = 0;
  /** Offset in the source of the last record that is dealt with. */
  through: bigint;
  /** Set once a letter can't be written. */
  failed: ParkedState | undefined;
  readonly #name: ParkedKeyName;
  readonly #state: ParkedState;
  readonly #without: ReadonlySet<string>;
  readonly #parts: RedriveParts;

  constructor(name: ParkedKeyName, state: ParkedState, { without }: RedriveRequest, parts: RedriveParts) {
    this.#name = name;
    this.#state = state;
    this.#without = new Set(without);
    this.#parts = parts;
    this.through = state.from - 1n;
  }

  /** False if it was interrupted. */
  async run(): Promise<boolean> {
    const { keys, stop, outages, retryBackoff } = this.#parts;
    const from = { ...this.#state.letters, mayBeLost: this.#without.has(this.#state.origin) };
    try {
      await outages.deadLetters.outlast(() => keys.letters.read(from, (read) => this.#take(read), stop), {
        backoff: retryBackoff,
        signal: stop,
        // That letters can be read doesn't show that they can be written.
        shows: () => false,
      });
    } catch (error) {
      if (stop.aborted && !this.#parts.abandoned.aborted) return false;
      throw error;
    }
    return !stop.aborted || this.failed !== undefined;
  }

  /** False once one has failed. */
  async #take(read: readonly Letter[]): Promise<boolean> {
    const { batchRecords, batchBytes, stop } = this.#parts;
    let [batch, bytes]: [Letter[], number] = [[], 0];
    for (const letter of read) {
      if (!this.#isNext(letter)) continue;
      batch.push(letter);
      bytes += letter.record.value?.length ?? 0;
      this.through = letter.source?.offset ?? this.through;
      if (batch.length < batchRecords && bytes < batchBytes) continue;
      if (stop.aborted || !(await this.#write(batch))) return false;
      [batch, bytes] = [[], 0];
    }
    return !stop.aborted && (await this.#write(batch));
  }

  /** Letters of a key lie in the order of their source; one that isn't behind the last is a copy. */
  #isNext(letter: Letter): boolean {
    const { source, record } = letter;
    const { topic, partition, key } = this.#name;
    if (source?.topic !== topic || source.partition !== partition || source.offset <= this.through) return false;
    if (record.key?.equals(key) !== true) return false;
    if (!this.#without.has(originText(letter)) && !this.#without.has(`${topic}-${partition}-${source.offset}`)) {
      return true;
    }
    this.leftOut++;
    this.through = source.offset;
    return false;
  }

  async #write(batch: readonly Letter[]): Promise<boolean> {
    const records = batch.flatMap((letter) => sourceRecord(letter) ?? []);
    // Its key is parked: here it is to be written all the same.
    const parts = { ...this.#parts, parked: undefined };
    const dead = await writeRecords(
      records.map((record) => detached(record, this.#state.topicId)),
      parts,
    );
    const first = dead.toSorted(byOffset)[0];
    this.written += batch.length - dead.length;
    this.#parts.stats.recordsRedriven += batch.length - dead.length;
    if (first === undefined) return true;
    const letter = batch.find(({ source }) => source?.offset === first.record.record.offset);
    if (letter !== undefined) this.failed = this.#stillParked(letter, first);
    return false;
  }

  #stillParked(letter: Letter, { reason }: DeadRecord): ParkedState {
    const { letters, origin, redrives } = this.#state;
    const at = originText(letter);
    return {
      ...this.#state,
      letters: { ...letters, offset: letter.record.offset },
      origin: at,
      code: reason.code,
      redrives: at === origin ? redrives + 1 : 1,
      failedAt: new Date().toISOString(),
    };
  }
}
