import { z } from "zod";
import { SpillwayError } from "../errors.ts";
import { boundedText, whyFetchFailed } from "../runtime/http-answer.ts";
import { BATCHING_MODES } from "../sink/batching.ts";

const REQUEST_MS = 10_000;
const LARGEST_ANSWER = 1024 * 1024;

const amount = z.number().min(0);
const count = z.number().min(1);

/** What of a sink's `/status` advice is made of. */
const STATUS = z.object({
  group: z.string(),
  target: z.string(),
  routes: z.array(z.object({ topic: z.string() })).min(1),
  settings: z.object({
    batching: z.enum(BATCHING_MODES),
    writers: count,
    batchRecords: count,
    batchBytes: count,
    batchTimeoutMs: count,
    inFlightRecords: count,
    inFlightBytes: count,
    commitIntervalMs: count,
    connections: count,
    writeTimeoutMs: count,
    fetchMinBytes: count,
    fetchMaxWaitMs: count,
  }),
  stats: z.object({
    recordsWritten: amount,
    recordsAlreadyWritten: amount,
    recordsReplaced: amount,
    recordsDeadLettered: amount,
    retries: amount,
    recordsInFlight: amount,
    startedAt: amount,
  }),
  writes: z.object({
    writes: amount,
    operations: amount,
    operationsSquared: amount,
    ms: amount,
    msSquared: amount,
    operationsMs: amount,
    slices: amount,
    sliceMs: amount,
  }),
  pingMs: amount.optional(),
  cpuSeconds: amount,
});

/** What a sink says of itself at one moment. */
export interface SinkStatus extends z.infer<typeof STATUS> {
  /** By `performance.now()`. */
  readonly atMs: number;
}

/**
 * Asks a sink.
 * @param from the address that it listens at, as `http://host:port`
 * @throws SpillwayError CONFIG_INVALID if there is no sink that answers so; the signal's reason
 */
export async function askStatus(from: string, signal: AbortSignal): Promise<SinkStatus> {
  const answer = await answerOf(from, signal);
  const parsed = STATUS.safeParse(answer);
  if (parsed.success) return { ...parsed.data, atMs: performance.now() };
  const [first] = parsed.error.issues;
  throw new SpillwayError("CONFIG_INVALID", `${from} answers, but not as a sink: ${first?.path.join(".")}`, {
    context: { hint: "Name sinks of this version, each started with --listen" },
  });
}

async function answerOf(from: string, signal: AbortSignal): Promise<unknown> {
  try {
    const within = AbortSignal.any([signal, AbortSignal.timeout(REQUEST_MS)]);
    const response = await fetch(new URL("/status", from), { signal: within, redirect: "error" });
    if (!response.ok) throw new Error(`it answers ${response.status}`);
    return JSON.parse(await boundedText(response, LARGEST_ANSWER));
  } catch (cause) {
    signal.throwIfAborted();
    throw new SpillwayError("CONFIG_INVALID", `${from} can't be asked: ${whyFetchFailed(cause)}`, {
      cause,
      context: { hint: "Start the sink with --listen, and name that address" },
    });
  }
}
