import { pause } from "../runtime/backoff.ts";
import { Deliveries } from "./deliveries.ts";
import type { Acknowledgement, RecordOutlet } from "./outlet.ts";
import { encodeValue } from "./record-value.ts";

export interface LivePlan {
  readonly ratePerSecond: number;
  /** Messages go to these keys in turn. */
  readonly keys: number;
  readonly valueBytes: number;
  readonly seed: number;
}

/** A message and when it is due: a function of the plan and its index. */
export interface LiveMessage {
  readonly index: number;
  readonly keyIndex: number;
  readonly key: string;
  readonly sequence: number;
  /** Milliseconds after the first message. */
  readonly dueMs: number;
}

export interface LiveRun {
  readonly topic: string;
  readonly outlet: RecordOutlet;
  /** Ends the traffic: the message that is due next is not sent any more. */
  readonly stop: AbortSignal;
  /**
   * Told of every message as it is sent; what it returns is told of the acknowledgement. `scheduledAt` is when the
   * message should have been sent, on the clock of `performance.now()`: a latency that starts there also holds the time
   * by which this process was late.
   */
  readonly onSent?: (message: LiveMessage, scheduledAt: number) => OnAcknowledged | undefined;
  readonly settleTimeoutMs?: number;
}

export type OnAcknowledged = (acknowledgement: Acknowledgement) => void;

const SETTLE_TIMEOUT_MS = 60_000;

export function liveMessage(index: number, { ratePerSecond, keys }: LivePlan): LiveMessage {
  const keyIndex = index % keys;
  return {
    index,
    keyIndex,
    key: liveKey(keyIndex),
    sequence: Math.floor(index / keys),
    dueMs: (index * 1000) / ratePerSecond,
  };
}

export function liveKey(keyIndex: number): string {
  return `live-${String(keyIndex).padStart(4, "0")}`;
}

/**
 * Sends messages at a fixed rate until stopped, on an absolute timetable: after a delay, all that have become due go
 * out at once, and the rate holds over any stretch of time. Returns how many are acknowledged.
 * @throws the first failure to deliver one
 */
export async function runLive(plan: LivePlan, run: LiveRun): Promise<number> {
  const { topic, outlet, stop, onSent } = run;
  const deliveries = new Deliveries();
  const startedAt = performance.now();
  const padding = { valueBytes: plan.valueBytes, compressibility: 0.5, seed: plan.seed };
  for (let index = 0; ; index++) {
    const message = liveMessage(index, plan);
    const scheduledAt = startedAt + message.dueMs;
    if (!(await reached(scheduledAt, stop))) break;
    deliveries.throwIfFailed();
    await outlet.ready();
    const { key, sequence } = message;
    const createdAt = Math.round(performance.timeOrigin + scheduledAt);
    const value = encodeValue({ kind: "live", key, sequence, createdAt }, index, padding);
    const sent = outlet.send(topic, { key: Buffer.from(key, "latin1"), value, timestamp: Date.now() });
    deliveries.track(sent, onSent?.(message, scheduledAt) ?? (() => undefined));
  }
  await deliveries.settled(run.settleTimeoutMs ?? SETTLE_TIMEOUT_MS);
  return deliveries.acknowledged;
}

/** True at the time, false as soon as it is stopped. */
async function reached(time: number, stop: AbortSignal): Promise<boolean> {
  try {
    for (let left = time - performance.now(); left > 0; left = time - performance.now()) await pause(left, stop);
    return !stop.aborted;
  } catch (error) {
    if (stop.aborted) return false;
    throw error;
  }
}
