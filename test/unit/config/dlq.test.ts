import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfig } from "../../../src/config/config.ts";
import { givenTime, origins, recordKey, recordPlace } from "../../../src/config/dlq-kinds.ts";
import type { ConfiguredCommand } from "../../../src/config/option.ts";
import type { OptionKey } from "../../../src/config/option-table.ts";

test("a time is one, or so long ago", () => {
  const read = (text: string) => givenTime().schema.safeParse(text);
  assert.deepEqual(read("2026-01-02T03:04:05Z").data, {
    text: "2026-01-02T03:04:05Z",
    at: Date.UTC(2026, 0, 2, 3, 4, 5),
  });
  const ago = read("2h").data;
  assert.ok(ago !== undefined && Math.abs(Date.now() - 7_200_000 - ago.at) < 60_000);
  for (const text of ["", "2", "2 weeks", "yesterday", "2026-13-01", "-2h"])
    assert.equal(read(text).success, false, text);
});

test("a key is text, or bytes in base64; a place and an origin are a topic, a partition and an offset", () => {
  const key = (value: unknown) => recordKey().schema.parse(value).toString("hex");
  assert.deepEqual([key("é"), key("base64:/wA="), key(12)], ["c3a9", "ff00", "3132"]);
  assert.deepEqual(recordPlace().schema.parse("a.b:1:2"), { topic: "a.b", partition: 1, offset: 2n });
  assert.equal(recordPlace().schema.safeParse("a:b").success, false);
  assert.deepEqual(origins().schema.parse(["a-b-1-2,AAAAAAAAAAAAAAAAAAAA-Q-0-7", "c-0-0"]), [
    "a-b-1-2",
    "AAAAAAAAAAAAAAAAAAAA-Q-0-7",
    "c-0-0",
  ]);
  assert.equal(origins().schema.safeParse("a-1").success, false);
});

test("what doesn't go together is said", () => {
  const problem = (command: ConfiguredCommand, given: Partial<Record<OptionKey, unknown>>): string => {
    const flags = new Map(Object.entries({ "kafka.brokers": "b:1", ...given }) as [OptionKey, unknown][]);
    try {
      loadConfig({ command, flags, environment: {} });
      return "";
    } catch (error) {
      return String(error);
    }
  };
  assert.equal(problem("dlq-list", { "dlq.parked": true, "dlq.group": "g" }), "");
  assert.match(problem("dlq-list", { "dlq.parked": true }), /needs the sink's group/);
  assert.match(problem("dlq-list", { "dlq.group": "g" }), /is for parked keys/);
  assert.match(problem("dlq-redrive", { "dlq.without": "a-0-1" }), /is for parked keys/);
  assert.match(problem("dlq-redrive", { "dlq.group": "g", "dlq.to": "t" }), /dlq\.to .*does not go with dlq\.group/);
  assert.equal(problem("dlq-redrive", { "dlq.group": "g", "dlq.key": "k", "dlq.dryRun": true }), "");
  assert.match(problem("dlq-show", { "dlq.since": "1h", "dlq.until": "2h" }), /must be before/);
});
