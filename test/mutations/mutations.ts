/** A plausible bug, as a patch that puts it into the source, and the test that catches it. */
export interface Mutation {
  /** File name of the patch, without its ending. */
  readonly name: string;
  /** What goes wrong with it. */
  readonly harm: string;
  readonly testFile: string;
  /** The name of the test that must fail. */
  readonly test: string;
}

export const MUTATIONS: readonly Mutation[] = [
  {
    name: "commit-before-ack",
    harm: "an offset is committed while records before it are not acknowledged: a crash loses them",
    testFile: "test/unit/relay/transcoder.test.ts",
    test: "an input counts the open batches that its records are in",
  },
  {
    name: "crc-unchecked",
    harm: "a flipped bit is relayed as if it were data",
    testFile: "test/unit/record-batch/batch.test.ts",
    test: "a flipped bit is found by the CRC and named by topic, partition and offset",
  },
  {
    name: "sequence-wraps-too-late",
    harm: "the broker refuses everything behind the 2^31st record of a partition",
    testFile: "test/unit/kafka/writer.test.ts",
    test: "sequences count records, and go on at 0 behind the largest int32",
  },
  {
    name: "aborted-by-arrival",
    harm: "records of aborted transactions are read as if they were committed",
    testFile: "test/unit/record-batch/batch.test.ts",
    test: "aborted transactions are left out, by producer and order of offsets",
  },
  {
    name: "abort-marker-by-key",
    harm: "a data record whose key is four zero bytes ends the filtering of its aborted transaction",
    testFile: "test/unit/record-batch/batch.test.ts",
    test: "a data record whose key looks like an abort marker's is data",
  },
  {
    name: "frontier-jumps-a-gap",
    harm: "what is not written is committed",
    testFile: "test/unit/runtime/commit-frontier.test.ts",
    test: "the frontier is always the end of the longest finished beginning, whatever the order of completion",
  },
  {
    name: "key-hash-by-absolute-value",
    harm: "half of the keys are placed elsewhere than Java's producers place them",
    testFile: "test/unit/record-batch/murmur2.test.ts",
    test: "a negative hash still gives a partition",
  },
  {
    name: "marker-waits",
    harm: "a group that has read all of a transactional topic is one behind for good",
    testFile: "test/unit/lag/ranges-of-part.test.ts",
    test: "counted are the records that a reader of committed records gets, and nothing else, from any offset on",
  },
  {
    name: "tail-not-tolerated",
    harm: "the cut batch at the end of nearly every small response stops the relay",
    testFile: "test/unit/record-batch/batch.test.ts",
    test: "a tail that is cut anywhere is left for the next fetch",
  },
  {
    name: "origin-added-again",
    harm: "every further relay adds a header to every record",
    testFile: "test/unit/relay/transcoder.test.ts",
    test: "the origin is topic id, partition and offset of the first hop, and stays what it was",
  },
  {
    name: "compacted-batch-stalls",
    harm: "reading goes on at the last record instead of behind the batch, and fetches it for ever",
    testFile: "test/unit/record-batch/batch.test.ts",
    test: "a batch that compaction has emptied, or thinned out, is gone through",
  },
  {
    name: "retry-on-the-wrong-leader",
    harm: "when a partition's leader moves, its batches go to the old one until their time is up",
    testFile: "test/unit/kafka/target-partition.test.ts",
    test: "after a wrong answer the leader is looked for anew, and the batch stays first with the sequence it was sent with",
  },
  {
    name: "poison-committed-unburied",
    harm: "a crash loses the bytes of a batch that can't be read: it is committed before its dead letter is there",
    testFile: "test/unit/sink/progress.test.ts",
    test: "a batch that can't be read holds its position until it is buried, and the records around it are read",
  },
  {
    name: "done-before-parked",
    harm: "a crash forgets that a key is parked, and its later records overtake the one that waits",
    testFile: "test/unit/sink/park-key.test.ts",
    test: "a record counts as done once its key is known to be parked, and not with its letter",
  },
  {
    name: "tried-behind-a-data-error",
    harm: "records of a key are written though an earlier one of the same batch is a dead letter",
    testFile: "test/unit/sink/park-key.test.ts",
    test: "a letter that fails again keeps its key parked; those before it are not tried again; it can be left out",
  },
  {
    name: "parked-from-the-beginning",
    harm: "after a crash records that were written before their key was parked wait behind those that came later",
    testFile: "test/unit/sink/parking.test.ts",
    test: "a parked key's records stand by their offsets: before it, behind it, redriven, new",
  },
  {
    name: "letter-headers-pile-up",
    harm: "each time a record fails again its headers grow, until no broker takes it",
    testFile: "test/unit/dead-letter/letter.test.ts",
    test: "however often it fails and is redriven: bytes and origin stay, headers don't pile up, attempts count on",
  },
  {
    name: "transaction-unmarked",
    harm: "what a relay wrote before it was killed stays, and is written again: duplicates",
    testFile: "test/unit/record-batch/stamp.test.ts",
    test: "a batch of a transaction says so, under its CRC, however often it is stamped",
  },
  {
    name: "unread-passed-over",
    harm: "a group that is handed its topic back in the middle of a flood never sees what was relayed and not read",
    testFile: "test/unit/handover/plan.test.ts",
    test: "nothing that is unread is passed over, nothing that the group has read comes again, and it can go on there",
  },
  {
    name: "unprocessed-taken-for-written",
    harm: "items that a throttled DynamoDB has left unprocessed are committed, and lost",
    testFile: "test/unit/sink/dynamo-write.test.ts",
    test: "what is left unprocessed is tried again, and nothing else",
  },
  {
    name: "unlike-version-passed-over",
    harm: "a state that can't be compared with what is there is dropped without a dead letter",
    testFile: "test/unit/sink/dynamo-write.test.ts",
    test: "a state of another origin is neither overwritten nor taken for newer",
  },
  {
    name: "any-404-is-poison",
    harm: "a proxy in front of a schema registry that is down makes dead letters of every record",
    testFile: "test/unit/decode/registry/client.test.ts",
    test: "a 404 of something else is an outage",
  },
  {
    name: "unknown-for-ever",
    harm: "a schema that is registered after its first record makes dead letters until the sink is started anew",
    testFile: "test/unit/decode/registry/registry-decoder.test.ts",
    test: "an unknown id is no poison any more once it is registered",
  },
];
