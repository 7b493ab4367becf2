import type { FetchedBytes } from "../../src/record-batch/batch.ts";
import { compress } from "../../src/record-batch/compression.ts";
import * as layout from "../../src/record-batch/layout.ts";
import { CODECS } from "../../src/record-batch/layout.ts";
import { recrc } from "../helpers/batches.ts";
import { anyBomb, type Bomb } from "./bombs.ts";
import { blindly, lyingField, lyingHeader } from "./mutations.ts";
import { below, chance, oneOf, type Random, randomBytes } from "./random.ts";
import { assemble, type BatchSpec, type Specimen } from "./specimens.ts";

/** Part of a fetch response that somebody means harm by, or whose log has rotted. */
export interface HostileInput extends FetchedBytes {
  readonly topicId: string;
  /** What was done, for whoever looks into a failure. */
  readonly what: readonly string[];
}

const PLACE = { topic: "hostile", topicId: "zHaV0daIQvO8jLlQ5f0x4A", partition: 3 } as const;
const BOMB_BYTES = 80 * 1024 * 1024;

export function hostileInput(random: Random, specimens: readonly Specimen[]): HostileInput {
  const what: string[] = [];
  const parts: Buffer[] = [];
  let baseOffset = chance(random, 0.1) ? 2 ** 40 : below(random, 1_000);
  for (let left = 1 + below(random, 3); left > 0; left--) {
    const batch = chance(random, 0.0005)
      ? bombBatch(anyBomb(random, BOMB_BYTES), baseOffset, what)
      : hostileBatch(random, specimens, baseOffset, what);
    parts.push(batch);
    // Mostly behind what was meant to be the batch's last offset; sometimes upon it.
    baseOffset += chance(random, 0.03) ? -1 : 300 + below(random, 10);
  }
  let batches: Buffer = Buffer.concat(parts);
  if (chance(random, 0.08)) batches = spliced(random, batches, what);
  if (chance(random, 0.08)) batches = cut(random, batches, what);
  const fetchOffset = BigInt(chance(random, 0.2) ? below(random, 1_500) : 0);
  const list = Array.from({ length: chance(random, 0.2) ? below(random, 4) : 0 }, () => ({
    producerId: BigInt(below(random, 3)),
    firstOffset: BigInt(below(random, 2_000)),
  }));
  return { ...PLACE, fetchOffset, batches, abortedTransactions: list, what };
}

export function bombInput(bomb: Bomb): HostileInput {
  const what: string[] = [];
  const batches = bombBatch(bomb, 0, what);
  return { ...PLACE, fetchOffset: 0n, batches, abortedTransactions: [], what };
}

const HARMLESS = { flags: 0, producerId: -1n, baseTimestamp: 1_700_000_000_000n };

function bombBatch({ what: kind, codec, count, payload }: Bomb, baseOffset: number, what: string[]): Buffer {
  what.push(`${codec} bomb: ${kind}`);
  return assemble({ ...HARMLESS, codec, baseOffset, lastOffsetDelta: Math.max(0, count - 1), count, payload });
}

function hostileBatch(random: Random, specimens: readonly Specimen[], baseOffset: number, what: string[]): Buffer {
  const specimen = specimens[below(random, specimens.length)];
  if (specimen === undefined) throw new RangeError("no specimens");
  // What isn't compressed reaches the reader of records as it is.
  const codec = chance(random, 0.25) ? "none" : oneOf(random, CODECS);
  const inner = chance(random, 0.5) ? spoiled(random, specimen, what) : undefined;
  let payload = inner === undefined ? specimen.compressed[codec] : compress(codec, inner);
  if (chance(random, codec === "none" ? 0 : 0.2)) {
    what.push(`${codec} payload changed`);
    payload = blindly(random, payload);
  }
  const spec: BatchSpec = {
    codec,
    baseOffset,
    lastOffsetDelta: specimen.count - 1 + (chance(random, 0.1) ? below(random, 40) : 0),
    count: specimen.count,
    flags: flagsOf(random),
    producerId: BigInt(below(random, 4) - 1),
    baseTimestamp: HARMLESS.baseTimestamp,
    payload,
  };
  const batch = assemble(spec);
  if (chance(random, 0.25)) {
    const before = Buffer.from(batch.subarray(0, layout.RECORDS));
    lyingHeader(random, batch);
    const at = before.findIndex((byte, i) => byte !== batch[i]);
    what.push(`${codec} header changed from byte ${at}`);
    if (chance(random, 0.9)) recrc(batch);
  }
  if (chance(random, 0.05)) {
    const at = below(random, batch.length);
    what.push(`${codec} bit flipped in byte ${at}, CRC left`);
    batch[at] = (batch[at] ?? 0) ^ (1 << below(random, 8));
  }
  return batch;
}

function spoiled(random: Random, specimen: Specimen, what: string[]): Buffer {
  let records = specimen.records;
  if (chance(random, 0.7)) {
    what.push("a field lies");
    records = lyingField(random, specimen);
  }
  for (let left = below(random, 3); left > 0; left--) {
    what.push("records changed");
    records = blindly(random, records);
  }
  return records;
}

function flagsOf(random: Random): number {
  let flags = 0;
  if (chance(random, 0.1)) flags |= layout.LOG_APPEND_TIME_BIT;
  if (chance(random, 0.2)) flags |= layout.TRANSACTIONAL_BIT;
  if (chance(random, 0.05)) flags |= layout.CONTROL_BIT;
  return flags;
}

/** A piece of the bytes, put where it doesn't belong. */
function spliced(random: Random, batches: Buffer, what: string[]): Buffer {
  const from = below(random, batches.length);
  const to = below(random, batches.length);
  const piece = batches.subarray(from, from + below(random, Math.min(400, batches.length)));
  what.push(`${piece.length} bytes from ${from} put at ${to}`);
  const rest = chance(random, 0.5) ? to : Math.min(batches.length, to + piece.length);
  return Buffer.concat([batches.subarray(0, to), piece, batches.subarray(rest)]);
}

function cut(random: Random, batches: Buffer, what: string[]): Buffer {
  const length = below(random, batches.length);
  what.push(`cut to ${length} bytes`);
  const tail = chance(random, 0.3) ? randomBytes(random, below(random, 100)) : Buffer.alloc(0);
  return Buffer.concat([batches.subarray(0, length), tail]);
}
