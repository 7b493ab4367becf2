import { z } from "zod";
import type { Condition, KeySource, Rule } from "../relay/routing.ts";
import type { Kind } from "./kinds.ts";

/**
 * Rules as people write them, in flags, environment and YAML alike:
 *
 *     <condition> -> <topic>/<partitions> [keyed by header NAME | keyed by json PATH]
 *     <condition> -> drop
 *
 * with a condition of `header NAME`, `header NAME = VALUE`, `header NAME ^= PREFIX`, `key = VALUE`, `key ^= PREFIX`,
 * `older than 2h`, `time FROM..TO` (ISO 8601), `json a.b = VALUE`, or `always`.
 */
export function rules(): Kind<readonly Rule[]> {
  const rule = z.string().transform((text, context) => {
    const parsed = parseRule(text);
    if (parsed !== undefined) return parsed;
    context.addIssue({ code: "custom", message: `not a rule: ${text}` });
    return z.NEVER;
  });
  const schema = z.preprocess(splitAtSemicolons, z.array(rule).min(1).readonly());
  const allowed =
    "condition -> topic/partitions or drop, several with ; between them; conditions: header NAME [= or ^= VALUE], key = or ^= VALUE, older than 2h, time FROM..TO, json a.b = VALUE, always";
  return { schema, allowed, shape: "list", placeholder: "rule" };
}

/** Undefined for what is no rule. */
export function parseRule(text: string): Rule | undefined {
  const [, left = "", right = ""] = /^(.*?)->(.*)$/s.exec(text) ?? [];
  const when = parseCondition(left.trim());
  if (when === undefined) return undefined;
  if (right.trim() === "drop") return { when, to: "drop" };
  const [, topic = "", partitions = "", keyed] = TARGET.exec(right.trim()) ?? [];
  const key = keyed === undefined ? undefined : parseKeySource(keyed.trim());
  const count = Number(partitions);
  if (topic === "" || count < 1 || count > 10_000 || (keyed !== undefined && key === undefined)) return undefined;
  return { when, to: { topic, partitions: count }, ...(key === undefined ? {} : { key }) };
}

const TARGET = /^([A-Za-z0-9._-]{1,249})\/(\d{1,5})(?:\s+keyed by\s+(.+))?$/;

function parseCondition(text: string): Condition | undefined {
  if (text === "always") return { kind: "always" };
  const [, subject = "", operator, value = ""] = /^(.*?)\s*(?:(\^?=)\s*(.*))?$/s.exec(text) ?? [];
  const match = operator === "=" ? "equals" : "prefix";
  const [, kind = "", name = ""] = /^(\S+)\s*(.*)$/s.exec(subject) ?? [];
  if (kind === "header" && name !== "") {
    return operator === undefined ? { kind, name, match: "exists", value: "" } : { kind, name, match, value };
  }
  if (kind === "key" && name === "" && operator !== undefined) return { kind, match, value };
  if (kind === "json" && name !== "" && operator === "=") return { kind, path: name.split("."), value };
  if (operator !== undefined) return undefined;
  return parseTime(kind, name);
}

function parseTime(kind: string, name: string): Condition | undefined {
  const [, number, unit = ""] = kind === "older" ? (/^than\s+(\d+)\s*([a-z]+)$/.exec(name) ?? []) : [];
  const factor = UNITS.get(unit);
  if (number !== undefined && factor !== undefined) return { kind: "older-than", ms: Number(number) * factor };
  const [from = "", to = "", ...more] = kind === "time" ? name.split("..") : [];
  const window = { from: Date.parse(from), to: Date.parse(to) };
  const isWindow = more.length === 0 && window.from < window.to;
  return isWindow ? { kind: "window", ...window } : undefined;
}

const UNITS: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1_000],
  ["min", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

function parseKeySource(text: string): KeySource | undefined {
  const [, kind, name = ""] = /^(header|json)\s+(\S+)$/.exec(text) ?? [];
  if (kind === "header") return { kind, name };
  return kind === "json" ? { kind, path: name.split(".") } : undefined;
}

/** Values may hold commas, so rules are parted otherwise. */
function splitAtSemicolons(value: unknown): unknown[] {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  return values.flatMap((one) =>
    typeof one === "string"
      ? one
          .split(";")
          .map((part) => part.trim())
          .filter((part) => part !== "")
      : [one],
  );
}
