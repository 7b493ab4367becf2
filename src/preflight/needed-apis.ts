import * as messages from "../kafka/protocol/messages.ts";
import * as transactions from "../kafka/protocol/transaction-messages.ts";
import type { RelayOptions } from "../relay/options.ts";

type Versioned = Readonly<Record<"key" | "version", number>> & { readonly name: string };

const ALWAYS: readonly Versioned[] = [
  messages.metadata,
  messages.fetch,
  messages.listOffsets,
  messages.findCoordinator,
  messages.joinGroup,
  messages.syncGroup,
  messages.heartbeat,
  messages.leaveGroup,
  messages.offsetFetch,
  messages.initProducerId,
  transactions.apiVersions,
];

const OF_VERSION_1: readonly Versioned[] = [
  messages.produce,
  transactions.addPartitionsToTxn,
  transactions.addOffsetsToTxn,
  transactions.txnOffsetCommit1,
  transactions.endTxn1,
];

const OF_VERSION_2: readonly Versioned[] = [
  messages.produceInTransaction2,
  transactions.txnOffsetCommit2,
  transactions.endTxn2,
];

/** The requests that a relay sends, by its guarantee and the cluster's transaction version. */
export function neededApis(guarantee: RelayOptions["guarantee"], transactionVersion: number): readonly Versioned[] {
  if (guarantee === "at-least-once") return [...ALWAYS, messages.produce, messages.offsetCommit];
  return [...ALWAYS, ...(transactionVersion >= 2 ? OF_VERSION_2 : OF_VERSION_1)];
}

interface Spoken {
  readonly apiKey: number;
  readonly minVersion: number;
  readonly maxVersion: number;
}

/** Those of the needed that a broker doesn't speak. */
export function lackingApis(needed: readonly Versioned[], spoken: readonly Spoken[]): readonly string[] {
  const ranges = new Map(spoken.map((range) => [range.apiKey, range]));
  return needed
    .filter(({ key, version }) => {
      const range = ranges.get(key);
      return range === undefined || version < range.minVersion || version > range.maxVersion;
    })
    .map(({ name, version }) => `${name} ${version}`);
}
