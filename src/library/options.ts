import type { Logger } from "pino";
import { GROUP_DEFAULTS, type GroupOptions } from "../kafka/group-member.ts";
import type { KafkaConnection } from "../kafka/kafkajs-config.ts";

/** What everything that talks to a cluster is told. */
export interface Common {
  /** A configuration of KafkaJS, as it is: brokers, ssl, sasl, clientId and so on. */
  readonly kafka: KafkaConnection;
  /** Stops it, in order, as leaving the scope of `await using` does. */
  readonly signal?: AbortSignal | undefined;
  /**
   * A pino logger. Without one, `kafka.logCreator` gets the lines; without that either, warnings and errors (or what
   * `kafka.logLevel` says) go to standard error as JSON lines.
   */
  readonly log?: Logger | undefined;
}

/** How a relay or a sink is a member of its group. */
export type MemberOptions = Partial<Omit<GroupOptions, "group" | "topics">>;

export function memberOf(group: string, options: MemberOptions | undefined): Omit<GroupOptions, "topics"> {
  return { ...GROUP_DEFAULTS, ...options, group };
}

/** For what goes on without being told to stop. */
export function signalOf({ signal }: Common): AbortSignal {
  return signal ?? new AbortController().signal;
}
