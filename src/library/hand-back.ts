import { handBack as giveBack, type HandBackOptions } from "../handover/hand-back.ts";
import type { HandBackReport } from "../handover/report.ts";
import { kafkaOptionsOf, logOf } from "../kafka/kafkajs-config.ts";
import { relayGroupOf } from "../relay/group-name.ts";
import { type Common, signalOf } from "./options.ts";

/** What goes back, and to whom. */
export interface HandBackConfig extends Common, Omit<HandBackOptions, "kafka" | "relayGroup"> {
  /** The relay's group: `spillway-relay-<source>` unless told. */
  readonly relayGroup?: string;
}

/**
 * Lets a group go on in the hot topic where a relay stopped, as `spillway handback` does. No offset is set unless every
 * check has passed; with `dryRun` none is.
 * @throws SpillwayError GROUP_ACTIVE, GROUP_MISMATCH, NOT_DRAINED, OFFSET_OUT_OF_RANGE, TOPIC_MISMATCH, CONFIG_INVALID,
 *   TOPIC_MISSING, TOPIC_RECREATED: each before anything is changed
 */
export async function handBack(config: HandBackConfig): Promise<HandBackReport> {
  const { kafka, signal: _signal, log, ...asked } = config;
  const relayGroup = config.relayGroup ?? relayGroupOf(config.source);
  const options = { ...asked, relayGroup, kafka: kafkaOptionsOf(kafka) };
  return await giveBack(options, { signal: signalOf(config), log: logOf(kafka, log) });
}
