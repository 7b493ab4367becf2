import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRule } from "../../../src/config/rules.ts";
import { describeRule } from "../../../src/preflight/describe-rule.ts";
import { lackingApis, neededApis } from "../../../src/preflight/needed-apis.ts";
import { settingsOf } from "../../../src/preflight/settings.ts";
import { bytesInWords, percent, timeInWords } from "../../../src/preflight/words.ts";

test("what isn't set is without a limit; a topic's own value is not what a new topic gets", () => {
  const values = new Map([
    ["cleanup.policy", { value: "compact,delete", inherited: "delete" }],
    ["retention.ms", { value: "-1", inherited: "604800000" }],
    ["message.timestamp.difference.max.ms", { value: "1000", inherited: null }],
  ]);
  const [own, fresh] = [settingsOf(values, "value"), settingsOf(values, "inherited")];
  assert.deepEqual([own.isCompacted, own.isDeleting, fresh.isCompacted, fresh.isDeleting], [true, true, false, true]);
  assert.deepEqual([own.retentionMs, fresh.retentionMs], [Number.POSITIVE_INFINITY, 604_800_000]);
  assert.deepEqual([own.beforeMaxMs, own.afterMaxMs, own.minInSync], [1_000, 1_000, 1]);
});

test("a broker that lacks a request, or the version of it, is told apart from one that has it", () => {
  const needed = neededApis("exactly-once", 2);
  const spoken = needed.map(({ key, version }) => ({ apiKey: key, minVersion: 0, maxVersion: version }));
  assert.deepEqual(lackingApis(needed, spoken), []);
  const old = spoken
    .filter(({ apiKey }) => apiKey !== 26)
    .map((range) => (range.apiKey === 1 ? { ...range, maxVersion: 12 } : range));
  assert.deepEqual(lackingApis(needed, old), ["Fetch 13", "EndTxn 5"]);
  assert.ok(!neededApis("at-least-once", 2).some(({ name }) => name === "EndTxn"));
});

test("rules read as they were written", () => {
  for (const text of [
    "header a -> x/3",
    "header a ^= b -> drop",
    "key = c -> x/3 keyed by json d.e",
    "always -> drop",
    "older than 2 hours -> drop",
  ]) {
    const rule = parseRule(text.replace("2 hours", "2h")) ?? assert.fail(text);
    assert.equal(describeRule(rule), text);
  }
});

test("figures are short", () => {
  assert.deepEqual([0, 999, 1_234, 15_600, 999_600, 2.5e12].map(bytesInWords), [
    "0 bytes",
    "999 bytes",
    "1.2 kB",
    "16 kB",
    "1 MB",
    "2.5 TB",
  ]);
  assert.deepEqual([1, 90_000, 7_200_000, 31 * 86_400_000].map(timeInWords), [
    "1 ms",
    "1.5 minutes",
    "2 hours",
    "31 days",
  ]);
  assert.deepEqual([0, 0.0001, 0.0416, 0.5].map(percent), ["0 %", "less than 0.1 %", "4.2 %", "50 %"]);
});
