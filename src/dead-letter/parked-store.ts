import type { Logger } from "pino";
import { CONTROL_TOPIC, type ControlEntry, type ControlOptions, followControlEntries } from "../kafka/control-topic.ts";
import type { KafkaOptions } from "../kafka/options.ts";
import type { DeadLetterProducer } from "./dead-letter.ts";
import { isOfGroup } from "./parked-key.ts";

/** Where the state of parked keys is kept. */
export interface ParkedStore {
  /**
   * Calls `take` with the latest of each entry of a group there is, and then with what is written later, until it is
   * disposed of. Resolves once what there is is taken.
   * @throws SpillwayError as `readControl`
   */
  follow(group: string, take: (entry: ControlEntry) => void, signal: AbortSignal): Promise<AsyncDisposable>;
  /** Resolves when it is acknowledged; without a value the entry is taken away. @throws SpillwayError as the producer */
  write(key: string, value: string | undefined): Promise<void>;
}

/** Parked keys in the control topic, which is made if it isn't there. */
export function controlStore(
  { kafka, log }: { readonly kafka: KafkaOptions; readonly log: Logger },
  producer: DeadLetterProducer,
): ParkedStore {
  return {
    follow(group, take, signal) {
      const options: ControlOptions = { kafka, log, signal };
      return followControlEntries(isOfGroup(group), take, options);
    },
    async write(key, value) {
      const record = { key: Buffer.from(key), value: value === undefined ? null : Buffer.from(value) };
      await producer.send(CONTROL_TOPIC, { ...record, timestamp: Date.now() });
    },
  };
}
