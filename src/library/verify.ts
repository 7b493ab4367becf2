import { kafkaOptionsOf, logOf } from "../kafka/kafkajs-config.ts";
import type { VerifyReport } from "../verify/report.ts";
import { type VerifyOptions, verifyRelay } from "../verify/verify.ts";
import { type Common, signalOf } from "./options.ts";

/** Which topics are to hold what others do. */
export interface VerifyConfig extends Common, Omit<VerifyOptions, "kafka"> {}

/**
 * Reads source topics and target topics up to the ends they have then, and reports whether the targets hold every record
 * of the sources once, in its partition, in the order of its key, and nothing else. What it finds is no error: ask
 * `isProven` of the report. Nothing is changed, and no group is joined.
 * @throws SpillwayError TOPIC_MISSING, CONFIG_INVALID, BATCH_CORRUPT, TIMEOUT, BROKER_UNREACHABLE, AUTHENTICATION_FAILED,
 *   NOT_AUTHORIZED; the signal's reason once that is aborted
 */
export async function verify(config: VerifyConfig): Promise<VerifyReport> {
  const { kafka, signal: _signal, log, ...asked } = config;
  return await verifyRelay(
    { ...asked, kafka: kafkaOptionsOf(kafka) },
    { signal: signalOf(config), log: logOf(kafka, log) },
  );
}
