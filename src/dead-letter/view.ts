import { isUtf8 } from "node:buffer";
import type { Letter } from "./letter.ts";
import { originText } from "./letter.ts";

/** Bytes as people read them. */
export interface BytesView {
  readonly as: "json" | "text" | "hex" | "null";
  readonly text: string;
}

/** A dead letter as people read it, and programs. */
export interface LetterView {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly origin: string;
  /** Where it was read by whoever gave it up. */
  readonly source: string | null;
  readonly error: string;
  readonly message: string;
  readonly attempts: number;
  readonly redrives: number;
  readonly firstFailedAt: string | null;
  readonly failedAt: string | null;
  readonly timestamp: string;
  readonly key: BytesView;
  readonly value: BytesView;
  readonly headers: readonly { readonly key: string; readonly value: BytesView }[];
}

export function letterView(letter: Letter): LetterView {
  const { record, source, code, message, attempts, redrives, firstFailedAt, failedAt } = letter;
  const { topic, partition, offset, timestamp, key, value, headers } = record;
  return {
    ...{ topic, partition, offset: String(offset), origin: originText(letter) },
    source: source === undefined ? null : `${source.topic}:${source.partition}:${source.offset}`,
    ...{ error: code, message, attempts, redrives },
    firstFailedAt: isoOf(firstFailedAt),
    failedAt: isoOf(failedAt),
    timestamp: String(timestamp),
    key: bytesView(key),
    value: bytesView(value),
    headers: headers.map((header) => ({ key: header.key, value: bytesView(header.value) })),
  };
}

/** JSON as it is written, since reading it would change large numbers; hex where it is no text. */
export function bytesView(bytes: Buffer | null): BytesView {
  if (bytes === null) return { as: "null", text: "" };
  if (!isUtf8(bytes)) return { as: "hex", text: bytes.toString("hex") };
  const text = bytes.toString("utf8");
  return { as: isJson(text) ? "json" : "text", text };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function isoOf(time: number | undefined): string | null {
  return time === undefined ? null : new Date(time).toISOString();
}
