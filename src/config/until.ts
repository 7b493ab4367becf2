import { z } from "zod";
import type { Until } from "../relay/job.ts";
import type { Kind } from "./kinds.ts";

export function until(): Kind<Until> {
  const schema = z.string().transform((text, context) => {
    const parsed = parseUntil(text.trim());
    if (parsed !== undefined) return parsed;
    context.addIssue({ code: "custom", message: `no end: ${text}` });
    return z.NEVER;
  });
  const allowed = "now, an ISO 8601 time, or offsets by partition such as 0:1200,1:1350";
  return { schema, allowed, shape: "single", placeholder: "end" };
}

/** Undefined for what is no end. */
export function parseUntil(text: string): Until | undefined {
  if (text === "now") return { kind: "now" };
  if (/^\d+:\d+(?:,\d+:\d+)*$/.test(text)) {
    const pairs = text.split(",").map((pair) => pair.split(":"));
    return { kind: "offsets", ends: new Map(pairs.map(([partition, end = "0"]) => [Number(partition), BigInt(end)])) };
  }
  const at = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? undefined : { kind: "time", at };
}
