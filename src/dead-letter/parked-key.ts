/**
 * A parked key: its record at some offset of a partition couldn't be written, and with it all later ones of the key in
 * that partition are in the dead-letter topic, in their order, until somebody redrives them. The state stands in the
 * control topic, one entry for each consumer group, topic, partition and key; a sink that gets a partition reads it before
 * any record. So does what the command asks for: the partition's owner does it.
 */
import type { ControlEntry } from "../kafka/control-topic.ts";
import { bigintsAsText } from "../runtime/bigints-as-text.ts";

export interface ParkedKeyName {
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
  readonly key: Buffer;
}

export interface ParkedState {
  readonly state: "parked";
  /** Of the source topic: of a topic made anew the entry means nothing. */
  readonly topicId: string;
  /** Offset in the source of the record that it began with. Those before it are in the database. */
  readonly from: bigint;
  /** Where the first letter lies that isn't dealt with yet. */
  readonly letters: { readonly topic: string; readonly partition: number; readonly offset: bigint };
  /** Of that letter: origin, code of its reason, and how often it was redriven in vain. */
  readonly origin: string;
  readonly code: string;
  readonly redrives: number;
  /** ISO 8601 times. */
  readonly since: string;
  readonly failedAt: string;
}

/** Redriven, but not all that was is behind the group's commit: who reads it again finds here that it is done. */
export interface OpenState {
  readonly state: "open";
  readonly topicId: string;
  /** Offsets in the source, both of them inclusive, between which all records of the key are dealt with. */
  readonly from: bigint;
  readonly through: bigint;
}

export type KeyState = ParkedState | OpenState;

/** What the owner of the partition is asked to do. */
export interface RedriveRequest {
  readonly id: string;
  /** Letters to leave out, by origin or place in the source: `<topic or topic id>-<partition>-<offset>`. */
  readonly without: readonly string[];
}

const STATE = "parked-key:";
const REQUEST = "redrive-key:";

/** Names both kinds of entries of a group's keys. */
export function isOfGroup(group: string): (controlKey: string) => boolean {
  return (controlKey) => parseControlKey(controlKey)?.name.group === group;
}

export function isParkedKey(controlKey: string): boolean {
  return controlKey.startsWith(STATE);
}

export function stateKey(name: ParkedKeyName): string {
  return STATE + nameText(name);
}

export function requestKey(name: ParkedKeyName): string {
  return REQUEST + nameText(name);
}

/** One key of one partition, as text: for sets and maps. */
export function keyText(topic: string, partition: number, key: Buffer): string {
  return `${topic}/${partition}/${key.toString("latin1")}`;
}

function nameText({ group, topic, partition, key }: ParkedKeyName): string {
  return JSON.stringify([group, topic, partition, key.toString("base64")]);
}

export interface NamedEntry {
  readonly name: ParkedKeyName;
  readonly kind: "state" | "request";
}

/** Undefined for a key of something else. */
export function parseControlKey(controlKey: string): NamedEntry | undefined {
  const kind = controlKey.startsWith(STATE) ? "state" : controlKey.startsWith(REQUEST) ? "request" : undefined;
  if (kind === undefined) return undefined;
  const parts = parse(controlKey.slice((kind === "state" ? STATE : REQUEST).length));
  if (!Array.isArray(parts)) return undefined;
  const [group, topic, partition, key] = parts as readonly unknown[];
  if (typeof group !== "string" || typeof topic !== "string" || typeof key !== "string") return undefined;
  if (typeof partition !== "number") return undefined;
  return { kind, name: { group, topic, partition, key: Buffer.from(key, "base64") } };
}

export function formatState(state: KeyState): string {
  return JSON.stringify(state, bigintsAsText);
}

/** Undefined for a tombstone and for what is none: a newer Spillway may write what this one doesn't know. */
export function parseState(text: string | undefined): KeyState | undefined {
  const read = (text === undefined ? undefined : parse(text)) as Readonly<Record<string, unknown>> | null | undefined;
  const { state, topicId, from } = read ?? {};
  if (typeof topicId !== "string" || !isOffset(from)) return undefined;
  if (state === "open" && isOffset(read?.["through"])) {
    return { state, topicId, from: BigInt(from), through: BigInt(read["through"]) };
  }
  const { letters, origin, code, redrives, since, failedAt } = (read ?? {}) as Record<string, unknown>;
  const place = letters as Readonly<Record<string, unknown>> | undefined;
  const [topic, partition, offset] = [place?.["topic"], place?.["partition"], place?.["offset"]];
  if (state !== "parked" || typeof topic !== "string" || typeof partition !== "number" || !isOffset(offset)) {
    return undefined;
  }
  return {
    state,
    topicId,
    from: BigInt(from),
    letters: { topic, partition, offset: BigInt(offset) },
    origin: textOr(origin),
    code: textOr(code),
    redrives: typeof redrives === "number" ? redrives : 0,
    since: textOr(since),
    failedAt: textOr(failedAt),
  };
}

export function formatRequest(request: RedriveRequest): string {
  return JSON.stringify(request);
}

export function parseRequest(text: string | undefined): RedriveRequest | undefined {
  const read = text === undefined ? undefined : (parse(text) as Partial<RedriveRequest> | null);
  if (typeof read?.id !== "string") return undefined;
  return { id: read.id, without: Array.isArray(read.without) ? read.without.map(String) : [] };
}

/** The parked keys among entries of the control topic, the latest of each counting. */
export function parkedAmong(
  entries: readonly ControlEntry[],
): readonly { readonly name: ParkedKeyName; readonly state: ParkedState }[] {
  const latest = new Map(entries.map(({ key, value }) => [key, value]));
  return [...latest].flatMap(([key, value]) => {
    const named = parseControlKey(key);
    const state = parseState(value);
    return named?.kind === "state" && state?.state === "parked" ? [{ name: named.name, state }] : [];
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isOffset(value: unknown): value is string {
  return typeof value === "string" && /^\d{1,19}$/.test(value);
}

function textOr(value: unknown): string {
  return typeof value === "string" ? value : "";
}
