/** The tests can fail: each of these bugs is put back and must be caught by the test that is named for it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { Copy } from "./apply.ts";
import { MUTATIONS, type Mutation } from "./mutations.ts";

function run(directory: string, { testFile, test: name }: Mutation): { passed: boolean; output: string } {
  const exactly = `^${name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`;
  const { NODE_TEST_CONTEXT: _nested, ...env } = process.env;
  const { stdout } = spawnSync(
    process.execPath,
    ["--test", "--test-reporter=tap", `--test-name-pattern=${exactly}`, testFile],
    {
      cwd: directory,
      env,
      encoding: "utf8",
      timeout: 60_000,
    },
  );
  const result = stdout.match(/^# pass (\d+)\n# fail (\d+)/m);
  assert.equal(Number(result?.[1]) + Number(result?.[2]), 1, `the test is not there, or there twice: ${stdout}`);
  return { passed: result?.[1] === "1", output: stdout };
}

for (const mutation of MUTATIONS) {
  test(`${mutation.name} is caught`, () => {
    using mutant = new Copy(mutation);
    const { passed, output } = run(mutant.directory, mutation);
    assert.equal(passed, false, `${mutation.harm}, and no test says so:\n${output}`);
  });
}

test("without a bug the same tests pass", () => {
  using original = new Copy();
  for (const mutation of MUTATIONS) {
    const { passed, output } = run(original.directory, mutation);
    assert.equal(passed, true, output);
  }
});
