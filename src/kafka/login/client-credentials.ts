import { z } from "zod";
import { SpillwayError } from "../../errors.ts";
import { boundedText, jsonOf, whyFetchFailed } from "../../runtime/http-answer.ts";

export interface ClientCredentials {
  /** The authorization server's token endpoint. */
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scope?: string | undefined;
  /** Of one request, its answer included; in milliseconds. */
  readonly timeoutMs: number;
}

/** The part of a token's life after which the next one is asked for: early enough to try again a few times. */
const USED_FOR = 0.8;
const LARGEST_ANSWER = 64 * 1024;
const LONGEST_COMPLAINT = 300;

const tokenAnswer = z.object({ access_token: z.string().min(1), expires_in: z.number().positive().optional() });
const complaint = z.object({ error: z.string(), error_description: z.string() }).partial();

/** Tokens by OAuth's client credentials (RFC 6749, 4.4), kept while they are good. All logins share one request. */
export class ClientCredentialTokens {
  readonly #options: ClientCredentials;
  readonly #now: () => number;
  #kept: { readonly token: string; readonly until: number } | undefined;
  #asking: Promise<string> | undefined;

  constructor(options: ClientCredentials, now: () => number = () => performance.now()) {
    this.#options = options;
    this.#now = now;
  }

  /**
   * A token that is good for a while. Tried once; whoever logs in tries again.
   * @throws SpillwayError AUTHENTICATION_FAILED; retryable unless the server refuses the client
   */
  async token(): Promise<string> {
    if (this.#kept !== undefined && this.#now() < this.#kept.until) return this.#kept.token;
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return await this.#asking;
  }

  async #ask(): Promise<string> {
    const { url, clientId, clientSecret, scope, timeoutMs } = this.#options;
    const askedAt = this.#now();
    const deadline = AbortSignal.timeout(timeoutMs);
    let response: Response;
    let text: string;
    try {
      response = await fetch(url, {
        method: "POST",
        headers: { accept: "application/json", authorization: basic(clientId, clientSecret) },
        body: new URLSearchParams({ grant_type: "client_credentials", ...(scope === undefined ? {} : { scope }) }),
        // Nobody but the endpoint that was named gets the secret.
        redirect: "error",
        signal: deadline,
      });
      text = await boundedText(response, LARGEST_ANSWER);
    } catch (cause) {
      const why = deadline.aborted ? `it gave no answer within ${timeoutMs} ms` : whyFetchFailed(cause);
      throw this.#failure(`can't be asked: ${why}`, { retryable: true, cause });
    }
    const parsed = jsonOf(text);
    if (!response.ok) {
      const { error = "", error_description: description = "" } = complaint.safeParse(parsed).data ?? {};
      const words = [error, description].filter((part) => part !== "").join(": ");
      const { status } = response;
      const isRefusal = status >= 400 && status < 500 && status !== 408 && status !== 429;
      throw this.#failure(`answered ${status} ${words}`.trimEnd().slice(0, LONGEST_COMPLAINT), {
        retryable: !isRefusal,
        ...(isRefusal ? { hint: "Check the client id, its secret and the scope" } : {}),
      });
    }
    const read = tokenAnswer.safeParse(parsed);
    if (!read.success) throw this.#failure("gave no token: is the URL right?", { retryable: true });
    const { access_token: token, expires_in: seconds = 0 } = read.data;
    this.#kept = { token, until: askedAt + seconds * 1000 * USED_FOR };
    return token;
  }

  #failure(
    what: string,
    { retryable, cause, hint }: { readonly retryable: boolean; readonly cause?: unknown; readonly hint?: string },
  ): SpillwayError {
    return new SpillwayError("AUTHENTICATION_FAILED", `The token endpoint ${this.#options.url} ${what}`, {
      retryable,
      cause,
      context: hint === undefined ? {} : { hint },
    });
  }
}

/** Both are form-encoded first (RFC 6749, 2.3.1). */
function basic(clientId: string, clientSecret: string): string {
  const encoded = [clientId, clientSecret].map((text) => new URLSearchParams({ "": text }).toString().slice(1));
  return `Basic ${Buffer.from(encoded.join(":")).toString("base64")}`;
}
