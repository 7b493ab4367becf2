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
    testFile: "test/unit/kafka/target-partition.test.ts",
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
  {
    name: "sink-slice-done-early",
    harm: "a commit covers a record that is not written: a crash loses it",
    testFile: "test/unit/sink/progress.test.ts",
    test: "a position passes no record that isn't done, in whatever order they are, and reaches the end when all are",
  },
  {
    name: "sink-revoke-undrained",
    harm: "partitions that are taken away are abandoned with all that is buffered: everything in flight is written twice over",
    testFile: "test/unit/sink/sink.test.ts",
    test: "what is being written when a generation ends is waited for and committed",
  },
  {
    name: "sink-abandoned-counted",
    harm: "a write that ends after its partition was given up counts as one of the new owner's",
    testFile: "test/unit/sink/sink-failures.test.ts",
    test: "what isn't written by the drain deadline is abandoned, not committed, and written by whoever reads it again",
  },
  {
    name: "sink-breaker-stampede",
    harm: "all writers write at once the moment the database is back",
    testFile: "test/unit/sink/breaker.test.ts",
    test: "a recovery begins with one attempt and doubles: no stampede",
  },
  {
    name: "sink-outage-is-a-data-error",
    harm: "a primary that steps down, or a full disk, fills the dead-letter topic",
    testFile: "test/unit/sink/mongo-errors.test.ts",
    test: "the codes that drivers retry are no data errors, for a document or a command",
  },
  {
    name: "latest-replaced-by-its-equal",
    harm: "a replay writes again what is there: a version that was set once is no longer one state",
    testFile: "test/integration/latest.test.ts",
    test: "a newer state replaces, an equal or older one changes nothing",
  },
  {
    name: "latest-unguarded",
    harm: "a late replay puts an old state over a newer one",
    testFile: "test/integration/latest.test.ts",
    test: "a newer state replaces, an equal or older one changes nothing",
  },
  {
    name: "latest-tombstone-forgotten",
    harm: "a deleted key stays, and a late replay would resurrect it",
    testFile: "test/unit/sink/models/latest.test.ts",
    test: "a tombstone leaves nothing but its version",
  },
  {
    name: "latest-collapses-to-the-oldest",
    harm: "of several states of a key in one batch the oldest is written",
    testFile: "test/unit/sink/plan.test.ts",
    test: "of several states of a key the newest is written, and if that is a data error the next older one",
  },
  {
    name: "sink-key-repeats-unordered",
    harm: "records of one key are written in any order, and behind one that failed",
    testFile: "test/unit/sink/plan.test.ts",
    test: "a batch is ordered exactly where a key repeats; null keys depend on nothing",
  },
  {
    name: "sink-lane-without-key",
    harm: "records of one key are written side by side",
    testFile: "test/unit/sink/lanes.test.ts",
    test: "records of one key take one lane, whatever comes between them",
  },
  {
    name: "sink-lane-leaves-a-rest",
    harm: "large records stay unwritten until more come, and hold up their partition",
    testFile: "test/unit/sink/lanes.test.ts",
    test: "what a cut by bytes holds beyond one batch is written too",
  },
  {
    name: "sink-lane-unprepared",
    harm: "one schema that nobody has keeps all keys waiting",
    testFile: "test/unit/sink/lanes.test.ts",
    test: "a lane that lacks something waits for it, and no other does",
  },
  {
    name: "sink-stuck-key-first",
    harm: "one record that can't be written for now keeps all keys of its batch waiting",
    testFile: "test/unit/sink/plan.test.ts",
    test: "every operation goes exactly one way; what is tried again keeps its key's order, and failed keys come last",
  },
  {
    name: "sink-duplicate-elsewhere-is-written",
    harm: "a record whose unique field is taken is dropped without a word",
    testFile: "test/unit/sink/mongo-write.test.ts",
    test: "whatever the batch, each operation ends with the outcome it must, and ordered ones in their order",
  },
  {
    name: "sink-race-is-a-data-error",
    harm: "after a rebalance or a time-out, a good record that met an abandoned write ends as a dead letter",
    testFile: "test/integration/sink-replies.test.ts",
    test: "latest: a duplicate that names no index, met in a race, is no data error; one that stays is",
  },
  {
    name: "sink-concern-ignored",
    harm: "what one node alone has written is committed, and lost with that node",
    testFile: "test/unit/sink/mongo-write.test.ts",
    test: "what too few nodes have acknowledged is tried again, and found",
  },
  {
    name: "sink-answer-taken-at-its-word",
    harm: "what a server left out of a command, because it couldn't parse another part of it, is committed and lost",
    testFile: "test/integration/latest.test.ts",
    test: "a state that the server can't parse takes none of its batch with it",
  },
];
