import { z } from "zod";
import { parsePlace, type RecordPlace } from "../dead-letter/letter.ts";
import type { Kind } from "./kinds.ts";

/** A time as it was given, and when that is, in milliseconds since the epoch. */
export interface GivenTime {
  readonly text: string;
  readonly at: number;
}

const AGO: Readonly<Record<string, number>> = { s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000 };

export function givenTime(): Kind<GivenTime> {
  const schema = z.string().transform((text, context): GivenTime => {
    const [, number, unit = ""] = /^(\d{1,6})(s|min|h|d)$/.exec(text.trim()) ?? [];
    const factor = AGO[unit];
    const isDate = /^\d{4}-\d\d-\d\d/.test(text);
    const at = number !== undefined && factor !== undefined ? Date.now() - Number(number) * factor : Date.parse(text);
    if (!Number.isNaN(at) && (isDate || number !== undefined)) return { text, at };
    context.addIssue({ code: "custom", message: `no time: ${text}` });
    return z.NEVER;
  });
  return { schema, allowed: "an ISO 8601 time, or so long ago: 30min, 2h, 1d", shape: "single", placeholder: "time" };
}

export function recordPlace(): Kind<RecordPlace> {
  const schema = z.string().transform((text, context): RecordPlace => {
    const place = parsePlace(text);
    if (place !== undefined) return place;
    context.addIssue({ code: "custom", message: `no place: ${text}` });
    return z.NEVER;
  });
  return { schema, allowed: "topic:partition:offset", shape: "single", placeholder: "place" };
}

/** A key as its bytes: text, or `base64:` and what it is in base64. */
export function recordKey(): Kind<Buffer> {
  const prefix = "base64:";
  const schema = z.preprocess(
    (value) => (typeof value === "number" ? String(value) : value),
    z
      .string()
      .min(1)
      .transform((text) =>
        text.startsWith(prefix) ? Buffer.from(text.slice(prefix.length), "base64") : Buffer.from(text, "utf8"),
      ),
  );
  return { schema, allowed: "a key's text, or base64: and its bytes", shape: "single", placeholder: "key" };
}

export function origins(): Kind<readonly string[]> {
  const split = (value: unknown): unknown[] =>
    (Array.isArray(value) ? value : [value]).flatMap((one) => (typeof one === "string" ? one.split(",") : [one]));
  const schema = z.preprocess(
    split,
    z
      .array(
        z
          .string()
          .trim()
          .regex(/^.+-\d+-\d+$/),
      )
      .min(1)
      .readonly(),
  );
  const allowed = "topic-partition-offset, the topic by name or id; or several with commas between them";
  return { schema, allowed, shape: "list", placeholder: "origin" };
}
