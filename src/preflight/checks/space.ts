import type { LogDirectory } from "../../kafka/describe.ts";
import { type Finding, finding } from "../finding.ts";
import { type Space, spaceNeeded } from "../space.ts";
import { bytesInWords, count } from "../words.ts";
import type { Check } from "./check.ts";

/** Of what a broker has left: beyond it, it is time to think. */
const MUCH = 0.8;

/** Whether the second copy of the backlog has room on the brokers' disks. */
export const checkSpace: Check = (facts, { replicationFactor }) => {
  const space = spaceNeeded(facts, replicationFactor);
  if (space === undefined || space.backlogOffsets === 0) return [];
  const { logs } = facts;
  const replicated = space.targets.reduce((sum, target) => sum + target.replicatedBytes, 0);
  const room = logs.kind === "known" ? roomOf(logs.value) : undefined;
  const context = { ...space, replicatedBytes: replicated, ...room };
  const what = `The backlog of ${count(space.backlogOffsets)} offsets needs about ${bytesInWords(replicated)} more disk, all replicas together (${basisOf(space)})`;
  const why = "the source keeps what is relayed: until retention takes one of the copies, there are two";
  if (room === undefined) {
    return [
      finding("info", "DISK_NEEDED", {
        what: `${what}. The brokers don't say what they have left`,
        why,
        action: "compare it with the disks of the brokers",
        context,
      }),
    ];
  }
  // Spread evenly: nobody knows yet where the leaders and followers will be.
  const each = replicated / room.brokers;
  const findings: Finding[] = [];
  if (each > MUCH * room.leastUsableBytes) {
    findings.push(
      finding("warning", "DISK_SHORT", {
        what: `${what}, some ${bytesInWords(each)} on each broker; the fullest has ${bytesInWords(room.leastUsableBytes)} left`,
        why: "a broker whose disk is full goes down, and takes all its topics with it",
        action: "add disk, shorten the targets' retention, compress (`--codec zstd`), or relay it in parts (`--until`)",
        context,
      }),
    );
  } else {
    findings.push(
      finding("info", "DISK_NEEDED", {
        what: `${what}, some ${bytesInWords(each)} on each broker; each has ${bytesInWords(room.leastUsableBytes)} left at least`,
        why,
        action: "nothing, if nobody else needs the room",
        context,
      }),
    );
  }
  return findings;
};

function basisOf({ basis, growth }: Space): string {
  return `${basis}; written ${growth.toFixed(2)} bytes for each read`;
}

/** Of the broker that has least left; undefined if one doesn't say. */
function roomOf(directories: readonly LogDirectory[]) {
  const byBroker = Map.groupBy(directories, ({ broker }) => broker);
  const usable = [...byBroker.values()].map((own) =>
    own.some(({ usableBytes }) => usableBytes < 0) ? -1 : own.reduce((sum, { usableBytes }) => sum + usableBytes, 0),
  );
  const leastUsableBytes = Math.min(...usable);
  return usable.length === 0 || leastUsableBytes < 0 ? undefined : { brokers: usable.length, leastUsableBytes };
}
