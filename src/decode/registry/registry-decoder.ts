/**
 * Decodes values whose schemas stand in a registry.
 *
 * Guarantee: a record is poison only by a healthy registry's word or by its own bytes. A registry that is away, hangs or
 * answers nonsense is an outage, while values of known schemas are decoded as ever.
 */
import { messageOf } from "../../errors.ts";
import { pause } from "../../runtime/backoff.ts";
import { type Decoded, type PoisonReason, poison, Undecodable } from "../decoded.ts";
import type { Decoder } from "../decoder.ts";
import { fetchSchema, type SchemaSource } from "./fetch-schema.ts";
import { type PayloadReader, parseSchema } from "./parse-schema.ts";
import { readFrame } from "./wire-format.ts";

export interface RegistryDecoderOptions {
  /** How many schemas are kept; those used last. What a batch needs is kept for it all the same. */
  readonly schemas?: number;
  /** How long an id counts as unknown before the registry is asked again, in milliseconds. */
  readonly unknownForMs?: number;
  /** A registry is asked twice, so long apart, before an id counts as unknown: its replicas may be a little behind. */
  readonly confirmAfterMs?: number;
  /** So long a request that has failed is the answer to all who ask for that schema, in milliseconds. */
  readonly failedForMs?: number;
}

const DEFAULTS = {
  schemas: 1_000,
  unknownForMs: 10_000,
  confirmAfterMs: 500,
  failedForMs: 200,
} as const satisfies RegistryDecoderOptions;
/** Requests for schemas side by side. */
const SIDE_BY_SIDE = 8;

type Entry =
  | { readonly kind: "schema"; readonly read: PayloadReader }
  | { readonly kind: "unusable"; readonly reason: PoisonReason; readonly message: string; readonly until: number };

export class RegistryDecoder implements Decoder {
  readonly #source: SchemaSource;
  readonly #options: Required<RegistryDecoderOptions>;
  /** By schema id; those used last stand last. */
  readonly #entries = new Map<number, Entry>();
  readonly #underWay = new Map<number, Promise<Entry>>();
  /** By schema id; `until` by `performance.now()`. */
  readonly #failures = new Map<number, { readonly error: unknown; readonly until: number }>();
  #trimming: NodeJS.Immediate | undefined;

  constructor(source: SchemaSource, options: RegistryDecoderOptions = {}) {
    this.#source = source;
    this.#options = { ...DEFAULTS, ...options };
  }

  /** @throws SpillwayError REGISTRY_UNREACHABLE, retryable; REGISTRY_REFUSED; the signal's reason */
  async prepare(values: readonly Buffer[], signal: AbortSignal): Promise<boolean> {
    const wanted = new Map<number, Entry | undefined>();
    for (const value of values) {
      const frame = readFrame(value);
      if (frame.kind === "framed") wanted.set(frame.schemaId, this.#fresh(frame.schemaId));
    }
    const missing = [...wanted].flatMap(([id, entry]) => (entry === undefined ? [id] : []));
    const isAsked = missing.length > 0;
    const fetchNext = async (): Promise<void> => {
      for (let id = missing.pop(); id !== undefined; id = missing.pop()) wanted.set(id, await this.#load(id, signal));
    };
    await Promise.all(Array.from({ length: Math.min(SIDE_BY_SIDE, missing.length) }, fetchNext));
    // All at once, so that none of them is trimmed before the caller's turn is over.
    for (const [id, entry] of wanted) if (entry !== undefined) this.#keep(id, entry);
    return isAsked;
  }

  knows(value: Buffer): boolean {
    const frame = readFrame(value);
    return frame.kind === "poison" || this.#fresh(frame.schemaId) !== undefined;
  }

  decode(value: Buffer): Decoded {
    const frame = readFrame(value);
    if (frame.kind === "poison") return frame;
    const entry = this.#entries.get(frame.schemaId);
    if (entry === undefined) return poison("unknown-schema", `schema ${frame.schemaId} has not been asked for`);
    if (entry.kind === "unusable") return poison(entry.reason, entry.message);
    try {
      return { kind: "value", value: entry.read(frame.payload) };
    } catch (error) {
      const reason = error instanceof Undecodable ? error.reason : "schema-mismatch";
      return poison(reason, `by schema ${frame.schemaId}: ${messageOf(error)}`);
    }
  }

  #fresh(id: number): Entry | undefined {
    const entry = this.#entries.get(id);
    return entry?.kind === "unusable" && entry.until < performance.now() ? undefined : entry;
  }

  /** Those that ask for the same schema share a request, and a while its failure; each leaves by its own signal. */
  async #load(id: number, signal: AbortSignal): Promise<Entry> {
    const failure = this.#failures.get(id);
    if (failure !== undefined && failure.until > performance.now()) throw failure.error;
    let loading = this.#underWay.get(id);
    if (loading === undefined) {
      loading = this.#remembered(id).finally(() => this.#underWay.delete(id));
      loading.catch(() => {}); // all who waited for it may have left
      this.#underWay.set(id, loading);
    }
    return await unlessAborted(loading, signal);
  }

  async #remembered(id: number): Promise<Entry> {
    try {
      const entry = await this.#fetch(id);
      this.#failures.delete(id);
      return entry;
    } catch (error) {
      this.#failures.delete(id);
      this.#failures.set(id, { error, until: performance.now() + this.#options.failedForMs });
      const [oldest] = this.#failures.keys();
      if (oldest !== undefined && this.#failures.size > this.#options.schemas) this.#failures.delete(oldest);
      throw error;
    }
  }

  async #fetch(id: number): Promise<Entry> {
    // Ends by its requests' deadlines: whoever waits may leave, and others come.
    const { signal } = new AbortController();
    let fetched = await fetchSchema(this.#source, id, signal);
    if (fetched.kind === "missing") {
      await pause(this.#options.confirmAfterMs, signal);
      fetched = await fetchSchema(this.#source, id, signal);
    }
    if (fetched.kind === "missing") {
      return unusable("unknown-schema", fetched.message, performance.now() + this.#options.unknownForMs);
    }
    try {
      return { kind: "schema", read: parseSchema(fetched.schema) };
    } catch (error) {
      // A schema never changes under its id.
      const message = `schema ${id} can't be read by: ${messageOf(error)}`;
      return unusable("invalid-schema", message, Number.POSITIVE_INFINITY);
    }
  }

  #keep(id: number, entry: Entry): void {
    this.#entries.delete(id);
    this.#entries.set(id, entry);
    this.#trimming ??= setImmediate(() => {
      this.#trimming = undefined;
      for (const oldest of this.#entries.keys()) {
        if (this.#entries.size <= this.#options.schemas) break;
        this.#entries.delete(oldest);
      }
    });
  }
}

function unusable(reason: PoisonReason, message: string, until: number): Entry {
  return { kind: "unusable", reason, message, until };
}

async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
