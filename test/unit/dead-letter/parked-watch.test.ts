import assert from "node:assert/strict";
import { test } from "node:test";
import {
  formatState,
  type ParkedKeyName,
  type ParkedState,
  requestKey,
  stateKey,
} from "../../../src/dead-letter/parked-key.ts";
import { ParkedWatch } from "../../../src/dead-letter/parked-watch.ts";

const PLACE = { topic: "t", topicId: "id", partition: 0 };

function parked(since: string, topicId = "id"): string {
  const state: ParkedState = {
    ...{ state: "parked", topicId, from: 0n, letters: { topic: "t.dead", partition: 0, offset: 0n } },
    ...{ origin: "", code: "", redrives: 0, since, failedAt: since },
  };
  return formatState(state);
}

test("parked keys are counted by group and partition, until they flow again; those of a topic made anew are not", () => {
  const watch = new ParkedWatch();
  const name = (key: string, more: Partial<ParkedKeyName> = {}) => {
    return { group: "g", topic: "t", partition: 0, key: Buffer.from(key), ...more };
  };
  const none = { keys: 0, sinceMs: undefined };
  assert.deepEqual(watch.of("g", PLACE), none);
  watch.take({ key: stateKey(name("a")), value: parked("2026-01-02T00:00:00.000Z") });
  watch.take({ key: stateKey(name("b")), value: parked("2026-01-01T00:00:00.000Z") });
  watch.take({ key: stateKey(name("b")), value: parked("2026-01-01T00:00:00.000Z") });
  watch.take({ key: stateKey(name("c")), value: parked("2025-01-01T00:00:00.000Z", "of before") });
  watch.take({ key: stateKey(name("d", { partition: 1 })), value: parked("not a time") });
  watch.take({ key: requestKey(name("e")), value: '{"id":"1"}' });
  watch.take({ key: "relay-settings:g:t:paused", value: "true" });
  assert.deepEqual(watch.of("g", PLACE), { keys: 2, sinceMs: Date.parse("2026-01-01T00:00:00.000Z") });
  assert.deepEqual(watch.of("g", { ...PLACE, partition: 1 }), { keys: 1, sinceMs: undefined });
  assert.deepEqual(watch.of("other", PLACE), none);
  watch.take({ key: stateKey(name("b")), value: undefined });
  watch.take({ key: stateKey(name("a")), value: formatState({ state: "open", topicId: "id", from: 0n, through: 1n }) });
  assert.deepEqual(watch.of("g", PLACE), none);
});
