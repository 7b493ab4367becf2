import { setImmediate as turn } from "node:timers/promises";
import type { NewRecord } from "../record-batch/batch-builder.ts";
import { pause } from "../runtime/backoff.ts";
import type { BackfillPlan, PlannedRecord } from "./backfill-plan.ts";
import { Deliveries } from "./deliveries.ts";
import type { Acknowledgement, RecordOutlet } from "./outlet.ts";

export interface BackfillRun {
  readonly topic: string;
  readonly outlet: RecordOutlet;
  readonly signal: AbortSignal;
  /** Given to every record. */
  readonly headers?: NonNullable<NewRecord["headers"]>;
  /** Told of every record once it is safe. Called often: keep it cheap. */
  readonly onAcknowledged?: (record: PlannedRecord, acknowledgement: Acknowledgement) => void;
  readonly onSent?: (sent: number) => void;
  /** How long to wait for the last acknowledgements. */
  readonly settleTimeoutMs?: number;
}

/** Records sent between two turns of the event loop: sockets and timers get theirs every millisecond or so. */
const RECORDS_PER_TURN = 256;
/** Records sent without asking again whether there is room. */
const RECORDS_PER_CHECK = 32;
const WAIT_MS = 5;
const SETTLE_TIMEOUT_MS = 60_000;

/**
 * Sends the plan's records when they are due and waits until all are acknowledged. Returns how many are.
 * @throws the first failure to deliver one; the signal's reason
 */
export async function runBackfill(plan: BackfillPlan, run: BackfillRun): Promise<number> {
  const { topic, outlet, signal, headers = [], onAcknowledged, onSent } = run;
  const deliveries = new Deliveries();
  const startedAt = performance.now();
  let due = 0;
  for (const record of plan.records()) {
    while (record.index >= due) {
      deliveries.throwIfFailed();
      due = plan.timetable.due(performance.now() - startedAt);
      if (record.index >= due) await pause(WAIT_MS, signal);
    }
    if (record.index % RECORDS_PER_TURN === 0) {
      signal.throwIfAborted();
      deliveries.throwIfFailed();
      onSent?.(record.index);
      await turn();
    }
    // Not before each record: that would be a promise more for each, for a bound that is closer by a few kilobytes.
    if (record.index % RECORDS_PER_CHECK === 0) await outlet.ready();
    const now = Date.now();
    const sent = outlet.send(topic, {
      key: Buffer.from(record.key, "latin1"),
      value: plan.encode(record, now),
      timestamp: now,
      headers,
    });
    deliveries.track(sent, (acknowledgement) => onAcknowledged?.(record, acknowledgement));
  }
  onSent?.(plan.options.records);
  await deliveries.settled(run.settleTimeoutMs ?? SETTLE_TIMEOUT_MS);
  return deliveries.acknowledged;
}
