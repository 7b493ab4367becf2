import type { RecordBatch } from "../record-batch/batch.ts";
import { BatchBuilder } from "../record-batch/batch-builder.ts";
import type { Codec } from "../record-batch/layout.ts";
import { OriginStamp } from "../record-batch/origin.ts";
import { RecordCursor } from "../record-batch/record-cursor.ts";

/** Enough to know: compressing is the dearest part of a sample. */
const MEASURED_BYTES = 2 * 1024 * 1024;

interface GrowthOptions {
  readonly codec: Codec | "source";
  readonly provenance: boolean;
}

/** Writes batches as the relay would, origin and codec, to see how much larger or smaller they get. */
export class GrowthMeter {
  readonly #options: GrowthOptions;
  readonly #cursor = new RecordCursor();
  readonly #builder = new BatchBuilder();
  #read = 0;
  #written = 0;

  constructor(options: GrowthOptions) {
    this.#options = options;
  }

  /** Bytes written for each byte read; undefined where nothing was measured. */
  get ratio(): number | undefined {
    return this.#read === 0 ? undefined : this.#written / this.#read;
  }

  /** Batches of which a part can't be read or written are left out. */
  add(batch: RecordBatch, topicId: string): void {
    if (this.#read >= MEASURED_BYTES) return;
    const { codec, provenance } = this.#options;
    const stamp = provenance ? new OriginStamp(topicId, batch.partition) : undefined;
    let whole = true;
    try {
      this.#cursor.open(batch);
      while (whole && this.#cursor.next()) {
        stamp?.setOffset(Number(batch.baseOffset) + this.#cursor.offsetDelta);
        whole = this.#builder.appendFrom(this.#cursor, batch, this.#cursor.originAt < 0 ? stamp?.bytes : undefined);
      }
    } catch {
      whole = false; // said where the records are counted
    }
    const sealed = this.#builder.seal(codec === "source" ? batch.codec : codec);
    if (!whole || sealed === undefined) return;
    this.#read += batch.bytes.length;
    this.#written += sealed.bytes.length;
  }
}
