import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SpillwayError } from "../../../src/errors.ts";
import { type PartitionState, planPartition } from "../../../src/handover/plan.ts";

const offset = fc.bigInt(0n, 1_000n);
const maybe = fc.option(offset, { nil: undefined });
const states: fc.Arbitrary<PartitionState> = fc
  .record({ partition: fc.constant(3), begin: offset, held: offset, relayed: maybe, before: maybe, unread: maybe })
  .map(({ held, ...state }) => ({ ...state, end: state.begin + held }));

test("nothing that is unread is passed over, nothing that the group has read comes again, and it can go on there", () => {
  fc.assert(
    fc.property(states, (state) => {
      const { before, relayed, unread, begin, end } = state;
      try {
        const { after, again } = planPartition(state, "hot");
        assert.ok(unread === undefined || after <= unread);
        assert.ok(relayed === undefined || after <= relayed);
        assert.ok(before === undefined || after >= before);
        assert.ok(after === before || (after >= begin && after <= end));
        assert.equal(again, (relayed ?? before ?? begin) - after);
        assert.ok(again >= 0n);
      } catch (error) {
        if (!(error instanceof SpillwayError)) throw error;
        const reached = relayed ?? before ?? begin;
        const wanted = unread !== undefined && unread < reached ? unread : reached;
        const isOutside = wanted < begin || wanted > end;
        assert.ok(error.code === "GROUP_MISMATCH" ? (before ?? 0n) > wanted : isOutside, error.message);
      }
    }),
  );
});

test("where nothing was relayed the group goes on where it was, or begins with the log", () => {
  const state = { partition: 0, begin: 7n, end: 20n, relayed: undefined, before: undefined, unread: undefined };
  assert.equal(planPartition(state, "hot").after, 7n);
  assert.equal(planPartition({ ...state, before: 12n }, "hot").after, 12n);
  // Whatever it is worth there, hand-back has not made it so.
  assert.equal(planPartition({ ...state, before: 3n }, "hot").after, 3n);
});

test("a refusal names the partition, the offset and the way out", () => {
  const state = { partition: 2, begin: 10n, end: 20n, relayed: 15n, before: 5n, unread: undefined };
  assert.throws(() => planPartition({ ...state, before: 16n }, "hot"), {
    code: "GROUP_MISMATCH",
    message: /has read on by itself to offset 16 \(topic hot, partition 2, offset 15\)/,
  });
  assert.throws(() => planPartition({ ...state, relayed: 9n }, "hot"), {
    code: "OFFSET_OUT_OF_RANGE",
    message: /holds offsets 10 to 20.*Start the relay once more/,
  });
  assert.throws(() => planPartition({ ...state, unread: 9n }, "hot"), {
    code: "OFFSET_OUT_OF_RANGE",
    message: /let the readers drain/,
  });
});
