import type { IncomingHttpHeaders } from "node:http";
import Fastify, { type FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { isRetryable, messageOf, SpillwayError } from "../errors.ts";
import type { Readiness } from "../health/watchdog.ts";
import { showsToken } from "./token.ts";

/** What is behind the endpoint. */
export interface Served {
  /** Prometheus' text format. */
  readonly metrics: { readonly contentType: string; metrics(): Promise<string> };
  readiness(): Readiness;
  status(): unknown;
  /** Who can be told something, besides. */
  readonly control?: Controlled | undefined;
}

export interface Controlled {
  /** Without one, nobody may. */
  readonly token: string | undefined;
  /** Resolves with what holds from then on, for all instances. */
  change(change: Change): Promise<unknown>;
}

export interface ListenAddress {
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
}

/** What can be said to a relay. */
export interface Change {
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
 * Answers HTTP until it is disposed of:
 * - `GET /metrics`, for Prometheus; `GET /status`, as JSON.
 * - `GET /health/live`: 200 while the process answers at all. `GET /health/ready`: 200, or 503 with the reasons.
 * - `POST /throttle` with `{recordsPerSecond, bytesPerSecond}`, null for no limit; `POST /pause` and `POST /resume`: only
 *   for whoever shows the token, as `Authorization: Bearer TOKEN`.
 * @throws SpillwayError CONFIG_INVALID if the address can't be had
 */
export async function openServer(
  { host, port }: ListenAddress,
  served: Served,
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
  answerQuestions(server, served);
  if (served.control !== undefined) takeOrders(server, served.control);
  server.setErrorHandler((error: unknown, _request, reply) => {
    void reply.code(statusOf(error)).send({ error: messageOf(error) });
  });
  server.setNotFoundHandler((_request, reply) => {
    const orders = served.control === undefined ? "" : ", POST /throttle, /pause and /resume";
    void reply.code(404).send({ error: `There are GET /status, /metrics, /health/live and /health/ready${orders}` });
  });
  const url = await listen(server, { host, port });
  log.info({ url }, "answering HTTP");
  return { url, [Symbol.asyncDispose]: () => server.close() };
}

function answerQuestions(server: FastifyInstance, { metrics, readiness, status }: Served): void {
  server.get("/status", () => status());
  server.get("/metrics", async (_request, reply) => {
    await reply.type(metrics.contentType).send(await metrics.metrics());
  });
  server.get("/health/live", () => ({ live: true }));
  server.get("/health/ready", async (_request, reply) => {
    const answer = readiness();
    await reply.code(answer.ready ? 200 : 503).send(answer);
  });
}

function takeOrders(server: FastifyInstance, { token, change }: Controlled): void {
  const options = {
    onRequest: async ({ headers }: { readonly headers: IncomingHttpHeaders }) => {
      if (token === undefined) throw new Refused(403, "Nobody may: set SPILLWAY_CONTROL_TOKEN for the process");
      if (!showsToken(headers.authorization, token)) throw new Refused(401, "Show the token: Authorization: Bearer …");
    },
  };
  const schema = { body: THROTTLE };
  server.post<{ Body: Change }>("/throttle", { ...options, schema }, ({ body }) => change(body));
  server.post("/pause", options, () => change({ paused: true }));
  server.post("/resume", options, () => change({ paused: false }));
}

class Refused extends Error {
  readonly statusCode: number;

  constructor(statusCode: number, message: string) {
    super(message);
    this.statusCode = statusCode;
  }
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
