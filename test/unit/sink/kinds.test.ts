import assert from "node:assert/strict";
import { test } from "node:test";
import { mapModel } from "../../../src/sink/models/map.ts";
import { runSink } from "../../../src/sink/sink.ts";
import { records } from "./checks.ts";
import { MemoryTopic, memberOf, memoryGeneration, memoryParts, sinkOptions } from "./memory.ts";

function partsWith(...given: Parameters<typeof mapModel>) {
  const topic = new MemoryTopic(records(30, 10, 1));
  return memoryParts(topic, memberOf(memoryGeneration(topic.positions())), { model: mapModel(...given) });
}

test("a sink doesn't begin where its target can't do what the model plans", async () => {
  const parts = partsWith(
    () => "c",
    () => [],
  );
  await assert.rejects(runSink(parts, sinkOptions()), (error: Error & { code?: string }) => {
    assert.equal(error.code, "CONFIG_INVALID");
    assert.match(error.message, /update, delete/);
    assert.match(error.message, /insert, latest/);
    return true;
  });
  assert.equal(parts.stats.recordsRead, 0);
});

test("what a mapping was said to make is enough, and what it makes beyond that is a dead letter", async () => {
  let calls = 0;
  const parts = partsWith(
    () => "c",
    () => (calls++ % 3 === 0 ? [{ kind: "delete", filter: {} }] : [{ kind: "insert", document: {} }]),
    ["insert"],
  );
  await runSink(parts, sinkOptions());
  assert.equal(parts.stats.recordsWritten, 20);
  assert.deepEqual(new Set(parts.deadLetters.buried.map(({ reason }) => reason.code)), new Set(["map-failed"]));
  assert.equal(parts.deadLetters.buried.length, 10);
});
