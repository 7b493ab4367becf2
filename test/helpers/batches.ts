import { crc32c } from "@node-rs/crc32";
import { BatchBuilder, type NewRecord, type ProducerStamp, stampBatch } from "../../src/record-batch/batch-builder.ts";
import type { Codec } from "../../src/record-batch/layout.ts";
import * as layout from "../../src/record-batch/layout.ts";

export interface BatchSpec {
  readonly baseOffset?: bigint;
  readonly codec?: Codec;
  readonly stamp?: ProducerStamp;
  readonly transactional?: boolean;
  readonly logAppendTime?: bigint;
}

export const NO_PRODUCER: ProducerStamp = { producerId: -1n, epoch: -1, sequence: -1 };

/** A whole record batch as a broker would return it. */
export function batchOf(records: readonly NewRecord[], spec: BatchSpec = {}): Buffer {
  const builder = new BatchBuilder();
  for (const record of records) builder.append(record);
  const sealed = builder.seal(spec.codec ?? "none");
  if (sealed === undefined) throw new RangeError("a batch needs records");
  stampBatch(sealed, spec.stamp ?? NO_PRODUCER);
  const { bytes } = sealed;
  bytes.writeBigInt64BE(spec.baseOffset ?? 0n, layout.BASE_OFFSET);
  let attributes = bytes.readInt16BE(layout.ATTRIBUTES);
  if (spec.transactional === true) attributes |= layout.TRANSACTIONAL_BIT;
  if (spec.logAppendTime !== undefined) {
    attributes |= layout.LOG_APPEND_TIME_BIT;
    bytes.writeBigInt64BE(spec.logAppendTime, layout.MAX_TIMESTAMP);
  }
  bytes.writeInt16BE(attributes, layout.ATTRIBUTES);
  return recrc(bytes);
}

/** The marker that ends a transaction. */
export function marker(kind: "abort" | "commit", producerId: bigint, offset: bigint): Buffer {
  const key = Buffer.from([0, 0, 0, kind === "abort" ? 0 : 1]);
  const stamp = { producerId, epoch: 0, sequence: -1 };
  const bytes = batchOf([{ key, value: Buffer.alloc(6), timestamp: 0 }], {
    baseOffset: offset,
    stamp,
    transactional: true,
  });
  bytes.writeInt16BE(bytes.readInt16BE(layout.ATTRIBUTES) | layout.CONTROL_BIT, layout.ATTRIBUTES);
  return recrc(bytes);
}

/** Makes the CRC right again after a change. */
export function recrc(bytes: Buffer): Buffer {
  bytes.writeUInt32BE(crc32c(bytes.subarray(layout.ATTRIBUTES)), layout.CRC);
  return bytes;
}
