import Fastify, { type FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { isRetryable, messageOf, SpillwayError } from "../errors.ts";

/** What is behind the endpoint. */
export interface Controlled<Settings> {
  status(): unknown;
  /** Resolves with what holds from then on, for all instances. */
  change(change: Settings): Promise<Settings>;
}

export interface ListenAddress {
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
}

/** What can be said to a relay. */
interface Change {
  recordsPerSecond?: number | null;
  bytesPerSecond?: number | null;
  paused?: boolean;
}

const REQUEST_DEADLINE_MS = 30_000;
const RATE = { type: ["number", "null"], exclusiveMinimum: 0 };
const THROTTLE = {
  type: "object",
  additionalProperties: false,
  minProperties: 1,
  properties: { recordsPerSecond: RATE, bytesPerSecond: RATE },
};

/**
 * Answers HTTP until it is disposed of: `GET /status`; `POST /throttle` with `{recordsPerSecond, bytesPerSecond}`, null
 * for no limit; `POST /pause` and `POST /resume`. It has no login: whoever reaches the address may use it.
 * @throws SpillwayError CONFIG_INVALID if the address can't be had
 */
export async function openControlServer(
  { host, port }: ListenAddress,
  { status, change }: Controlled<Change>,
  log: Logger,
): Promise<AsyncDisposable & { readonly url: string }> {
  const server = Fastify({
    requestTimeout: REQUEST_DEADLINE_MS,
    forceCloseConnections: true,
    // What is wrong is refused, and not made to fit.
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false } },
  });
  // A page that somebody has open in a browser on this machine is not whom it is for; browsers name it in every POST.
  server.addHook("onRequest", async ({ headers }, reply) => {
    if (headers.origin !== undefined) await reply.code(403).send({ error: "Not for web pages" });
  });
  server.get("/status", () => status());
  server.post<{ Body: Change }>("/throttle", { schema: { body: THROTTLE } }, ({ body }) => change(body));
  server.post("/pause", () => change({ paused: true }));
  server.post("/resume", () => change({ paused: false }));
  server.setErrorHandler((error: unknown, _request, reply) => {
    void reply.code(statusOf(error)).send({ error: messageOf(error) });
  });
  server.setNotFoundHandler((_request, reply) => {
    void reply.code(404).send({ error: "There are GET /status, POST /throttle, POST /pause and POST /resume" });
  });
  const url = await listen(server, { host, port });
  log.info({ url }, "answering HTTP");
  return { url, [Symbol.asyncDispose]: () => server.close() };
}

async function listen(server: FastifyInstance, { host, port }: ListenAddress): Promise<string> {
  try {
    return await server.listen({ host, port });
  } catch (cause) {
    await server.close();
    throw new SpillwayError("CONFIG_INVALID", `Can't listen on ${host}:${port}: ${messageOf(cause)}`, { cause });
  }
}

function statusOf(error: unknown): number {
  if (error instanceof SpillwayError) return isRetryable(error) ? 503 : 500;
  const given = error instanceof Error && "statusCode" in error ? Number(error.statusCode) : Number.NaN;
  return given >= 400 && given < 600 ? given : 500;
}
