import { z } from "zod";
import type { YieldTo } from "../relay/yield-to.ts";
import type { Kind } from "./kinds.ts";

/** A limit, or null for none. */
export function rateOrOff(): Kind<number | null> {
  const read = (value: unknown): unknown => {
    if (value === "off") return null;
    return typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value;
  };
  const schema = z.preprocess(read, z.int().min(1).nullable());
  return { schema, allowed: "a whole number from 1 up, or off", shape: "single", placeholder: "number|off" };
}

/** The name of a group, written group:NAME. */
export function yieldGroup(): Kind<string> {
  const schema = z
    .string()
    .regex(/^group:.+$/)
    .transform((text) => text.slice("group:".length));
  return { schema, allowed: "group:NAME", shape: "single", placeholder: "group:name" };
}

const SECONDS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, min: 60, h: 3_600 };

export function yieldBound(): Kind<YieldTo["bound"]> {
  const schema = z.preprocess(
    (value) => (typeof value === "number" ? String(value) : value),
    z.string().transform((text, context) => {
      const parsed = parseBound(text.trim());
      if (parsed !== undefined) return parsed;
      context.addIssue({ code: "custom", message: `no lag: ${text}` });
      return z.NEVER;
    }),
  );
  const allowed = "a number of messages such as 1000, or a time such as 500ms, 30s or 5min";
  return { schema, allowed, shape: "single", placeholder: "lag" };
}

function parseBound(text: string): YieldTo["bound"] | undefined {
  const [, number, unit] = /^(\d+)\s*([a-z]*)$/.exec(text) ?? [];
  if (number === undefined || unit === undefined) return undefined;
  if (unit === "") return { kind: "messages", messages: Number(number) };
  const factor = SECONDS[unit];
  return factor === undefined ? undefined : { kind: "seconds", seconds: Number(number) * factor };
}

export interface SocketAddress {
  readonly host: string;
  readonly port: number;
}

/** A port alone is one of this machine only. */
export function socketAddress(): Kind<SocketAddress> {
  const schema = z.preprocess(
    (value) => (typeof value === "number" ? String(value) : value),
    z
      .string()
      .regex(/^(?:(?:[a-zA-Z0-9._-]+|\[[0-9a-fA-F:.]+\]):)?\d{1,5}$/)
      .transform((text) => {
        const at = text.lastIndexOf(":");
        const host = at < 0 ? "127.0.0.1" : text.slice(0, at).replace(/^\[|\]$/g, "");
        return { host, port: Number(text.slice(at + 1)) };
      })
      .refine(({ port }) => port <= 65_535),
  );
  return { schema, allowed: "port or host:port; port 0 for any free one", shape: "single", placeholder: "host:port" };
}
