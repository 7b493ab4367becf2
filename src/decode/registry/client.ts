import { z } from "zod";
import { SpillwayError } from "../../errors.ts";
import { boundedText, jsonOf, whyFetchFailed } from "../../runtime/http-answer.ts";
import type { SchemaReference, SchemaText } from "./registered-schema.ts";

export interface RegistryOptions {
  /** Where its API is, with the path in front of `/schemas` and `/subjects` if it has one. No user and password in it. */
  readonly url: string;
  readonly auth?: RegistryAuth;
  /** Of one request, its answer included; in milliseconds. */
  readonly timeoutMs: number;
}

export type RegistryAuth =
  | { readonly kind: "basic"; readonly username: string; readonly password: string }
  | { readonly kind: "bearer"; readonly token: string };

/** What a healthy registry answers when it is asked for something. */
export type Answer<T> = { readonly kind: "found"; readonly value: T } | { readonly kind: "missing" };

/** By Confluent's codes: no such subject, version, schema. Any other 404 is of something in front of the registry. */
const MISSING_CODES: readonly unknown[] = [40401, 40402, 40403];
const LARGEST_ANSWER = 8 * 1024 ** 2;
const LONGEST_COMPLAINT = 300;
const CONTENT_TYPE = "application/vnd.schemaregistry.v1+json";

const schemaAnswer = z.object({
  schema: z.string(),
  schemaType: z.string().nullish(),
  references: z.array(z.object({ name: z.string(), subject: z.string(), version: z.int() })).nullish(),
});
const idAnswer = z.object({ id: z.int() });
const complaint = z.object({ error_code: z.unknown(), message: z.unknown() }).partial();

interface Ask<T> {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: unknown;
  readonly answer: z.ZodType<T>;
  readonly signal: AbortSignal;
}

/**
 * A schema registry's HTTP API, as Confluent's. Each request is tried once, within its deadline. All that is
 * not a healthy registry's answer is REGISTRY_UNREACHABLE and retryable; only 401, 403 and a refused schema aren't.
 */
export class RegistryClient {
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #timeoutMs: number;

  constructor({ url, auth, timeoutMs }: RegistryOptions) {
    this.#base = url.replace(/\/+$/, "");
    this.#headers = { accept: CONTENT_TYPE, ...(auth === undefined ? {} : { authorization: authorization(auth) }) };
    this.#timeoutMs = timeoutMs;
  }

  /** @throws SpillwayError REGISTRY_UNREACHABLE, REGISTRY_REFUSED; the signal's reason */
  async schema(id: number, signal: AbortSignal): Promise<Answer<SchemaText>> {
    return await this.#ask({ method: "GET", path: `/schemas/ids/${id}`, answer: schemaText, signal });
  }

  /** @throws as `schema` */
  async version({ subject, version }: SchemaReference, signal: AbortSignal): Promise<Answer<SchemaText>> {
    const path = `/subjects/${encodeURIComponent(subject)}/versions/${version}`;
    return await this.#ask({ method: "GET", path, answer: schemaText, signal });
  }

  /**
   * Registers a schema under a subject, or finds it there; yields its id.
   * @throws as `schema`; REGISTRY_REFUSED also for a schema that isn't compatible
   */
  async register(
    subject: string,
    { type, schema }: Omit<SchemaText, "references">,
    signal: AbortSignal,
  ): Promise<number> {
    const path = `/subjects/${encodeURIComponent(subject)}/versions`;
    const body = type === "AVRO" ? { schema } : { schema, schemaType: type };
    const answer = await this.#ask({ method: "POST", path, body, answer: idAnswer, signal });
    if (answer.kind === "found") return answer.value.id;
    throw this.#unreachable(`it doesn't take schemas for ${subject}`);
  }

  async #ask<T>({ method, path, body, answer, signal }: Ask<T>): Promise<Answer<T>> {
    const deadline = AbortSignal.timeout(this.#timeoutMs);
    let response: Response;
    let text: string;
    try {
      response = await fetch(this.#base + path, {
        method,
        headers: body === undefined ? this.#headers : { ...this.#headers, "content-type": CONTENT_TYPE },
        signal: AbortSignal.any([signal, deadline]),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      text = await boundedText(response, LARGEST_ANSWER);
    } catch (cause) {
      signal.throwIfAborted();
      const why = deadline.aborted ? `it gave no answer within ${this.#timeoutMs} ms` : whyFetchFailed(cause);
      throw this.#unreachable(why, cause);
    }
    const parsed = jsonOf(text);
    if (response.ok) {
      const read = answer.safeParse(parsed);
      if (read.success) return { kind: "found", value: read.data };
      throw this.#unreachable(`${method} ${path} was answered by what no registry says: is the URL right?`);
    }
    const said = complaint.safeParse(parsed).data;
    const words = typeof said?.message === "string" ? `: ${said.message.slice(0, LONGEST_COMPLAINT)}` : "";
    const { status } = response;
    if (status === 404 && MISSING_CODES.includes(said?.error_code)) return { kind: "missing" };
    if (status === 401 || status === 403) {
      const hint = "Check registry.username and registry.password, or registry.token, and what they may read";
      throw this.#refused(`${status} for ${method} ${path}${words}`, hint);
    }
    if (method === "POST" && (status === 409 || status === 422)) {
      throw this.#refused(
        `${status} for ${method} ${path}${words}`,
        "Check what the subject holds, and its compatibility",
      );
    }
    const wrongPath = status === 404 ? ", and no registry says so: is the URL right?" : "";
    throw this.#unreachable(`${status} for ${method} ${path}${words}${wrongPath}`);
  }

  #unreachable(why: string, cause?: unknown): SpillwayError {
    const message = `The schema registry at ${this.#base} can't be asked: ${why}`;
    return new SpillwayError("REGISTRY_UNREACHABLE", message, { retryable: true, cause });
  }

  #refused(what: string, hint: string): SpillwayError {
    return new SpillwayError("REGISTRY_REFUSED", `The schema registry at ${this.#base} refuses: ${what}`, {
      context: { hint },
    });
  }
}

const schemaText = schemaAnswer.transform(({ schema, schemaType, references }): SchemaText => {
  return { type: schemaType ?? "AVRO", schema, references: references ?? [] };
});

function authorization(auth: RegistryAuth): string {
  if (auth.kind === "bearer") return `Bearer ${auth.token}`;
  return `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString("base64")}`;
}
