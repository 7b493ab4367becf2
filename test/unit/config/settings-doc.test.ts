import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Option } from "../../../src/config/option.ts";
import { OPTION_KEYS, optionOf } from "../../../src/config/option-table.ts";

const DOC = new URL("../../../docs/settings.md", import.meta.url);

test("the table of settings names flags that are, with the defaults that they have", () => {
  const options: readonly Option<unknown>[] = OPTION_KEYS.map(optionOf).filter(({ commands }) =>
    commands.includes("sink"),
  );
  const byFlag = new Map<string, unknown>(options.map((one) => [String(one.flag), one.default]));
  const rows = readFileSync(DOC, "utf8")
    .split("\n")
    .map((line) => line.split("|").map((cell) => cell.trim()))
    .flatMap(([, , flag, value]) => (flag?.startsWith("`--") ? [{ flag: flag.replaceAll("`", ""), value }] : []));
  assert.ok(rows.length >= 15);
  for (const { flag, value } of rows) {
    assert.ok(byFlag.has(flag), `${flag} is no option`);
    assert.equal(value, String(byFlag.get(flag)), flag);
  }
});
