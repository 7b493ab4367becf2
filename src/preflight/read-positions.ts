import type { Brokers } from "../kafka/cluster.ts";
import { assertSameTopic } from "../kafka/committed-offsets.ts";
import { groupOperations, type TopicDescription } from "../kafka/describe.ts";
import { groupCommits } from "../kafka/group-offsets.ts";
import { EARLIEST, LATEST, offsetsAt } from "../kafka/offsets.ts";
import type { RelayOptions } from "../relay/options.ts";
import type { Asker } from "./asker.ts";
import type { Answer, GroupFacts, PartitionPosition } from "./facts.ts";

interface Asking {
  readonly brokers: Brokers;
  readonly asker: Asker;
  readonly options: RelayOptions;
}

/** What the group has committed, and whether it may be used. @param isMade false where no group has ever been */
export async function readGroup(
  { brokers, asker, options: { group } }: Asking,
  source: TopicDescription,
  isMade: boolean,
): Promise<Answer<GroupFacts>> {
  if (!isMade) return { kind: "known", value: NO_GROUP };
  const { topic, topicId, partitions } = source;
  const read = async (requireStable: boolean): Promise<GroupFacts> => {
    const wanted = { topic, partitions: partitions.length };
    const { coordinator, committed } = await groupCommits(brokers, group.group, wanted, requireStable);
    const operations = await asker.once("Describing the group", () =>
      groupOperations(brokers, coordinator, group.group),
    );
    const isEarlier = committed.some((commit) => !isSameTopic({ ...commit, topicId }, commit.metadata, group.group));
    return {
      committed: new Map(committed.map(({ partition, offset }) => [partition, offset])),
      isOfEarlierTopic: isEarlier,
      operations,
    };
  };
  // Behind a commit that is on its way. Where relays commit all the time, the one before it has to do.
  const stable = await asker.persist("Reading the group's offsets", () => read(true));
  if (stable.kind === "known" || stable.isForbidden) return stable;
  return await asker.once("Reading the group's offsets", () => read(false));
}

const NO_GROUP: GroupFacts = {
  committed: new Map(),
  isOfEarlierTopic: false,
  operations: { kind: "unknown", why: "the cluster has no groups yet", isForbidden: false },
};

function isSameTopic(...commit: Parameters<typeof assertSameTopic>): boolean {
  try {
    assertSameTopic(...commit);
    return true;
  } catch {
    return false;
  }
}

/** The ends of the log, and which part of it will be relayed. */
export async function readPositions(
  { brokers, asker, options: { group, until } }: Asking,
  { topic, topicId, partitions }: TopicDescription,
  known: Answer<GroupFacts>,
): Promise<Answer<readonly PartitionPosition[]>> {
  if (known.kind === "unknown") return known;
  const { committed } = known.value;
  const all = partitions.map(({ partition }) => ({ topic, topicId, partition }));
  const at = async (timestamp: bigint) => {
    const found = await offsetsAt(brokers, all, timestamp, "read_committed");
    return new Map(found.map(({ partition, offset }) => [partition, offset]));
  };
  return await asker.persist("Listing the source's offsets", async () => {
    const [earliest, latest] = [await at(EARLIEST), await at(LATEST)];
    const ends = until?.kind === "time" ? await at(BigInt(until.at)) : until?.kind === "offsets" ? until.ends : latest;
    return all.map(({ partition }) => {
      const [first, last] = [earliest.get(partition) ?? 0n, latest.get(partition) ?? 0n];
      const asked = ends.get(partition) ?? last;
      const begin = committed.get(partition) ?? (group.offsetReset === "latest" ? last : first);
      const end = asked < 0n || asked > last ? last : asked;
      return { partition, earliest: first, latest: last, committed: committed.get(partition), begin, end };
    });
  });
}
