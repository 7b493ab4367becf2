import assert from "node:assert/strict";
import { test } from "node:test";
import { OPTIONS } from "../../../src/config/option-table.ts";

test("a group is named behind its kind, whatever its name holds", () => {
  const { schema } = OPTIONS["relay.from"].kind;
  assert.deepEqual(schema.parse("group:prices"), { kind: "group", group: "prices" });
  assert.deepEqual(schema.parse("group:a:b c"), { kind: "group", group: "a:b c" });
  for (const wrong of ["prices", "group:", "topic:prices", "", 7])
    assert.ok(!schema.safeParse(wrong).success, `${wrong}`);
});

test("topics and readers can be given several times, and each time hold several", () => {
  const topics = OPTIONS["handback.targets"].kind.schema;
  assert.deepEqual(topics.parse(["a.wide, a.backfill", "b"]), ["a.wide", "a.backfill", "b"]);
  assert.ok(!topics.safeParse("no topic/").success);
  assert.deepEqual(OPTIONS["handback.readers"].kind.schema.parse("one,two"), ["one", "two"]);
});
