/** The tests can fail: each of these bugs is put back and must be caught by the test that is named for it. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { availableParallelism } from "node:os";
import { describe, it } from "node:test";
import { Copy } from "./apply.ts";
import { MUTATIONS, type Mutation } from "./mutations.ts";

/** On a busy machine, for all of them at once. */
const DEADLINE_MS = 300_000;

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly output: string;
}

/** Runs the tests that catch these mutations, and no others. */
async function run(directory: string, mutations: readonly Mutation[]): Promise<Counts> {
  const names = mutations.map(({ test }) => `--test-name-pattern=^${test.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`);
  const files = new Set(mutations.map(({ testFile }) => testFile));
  const { NODE_TEST_CONTEXT: _nested, ...env } = process.env;
  const args = ["--test", "--test-reporter=tap", ...new Set(names), ...files];
  const output = await new Promise<string>((done) => {
    const options = { cwd: directory, env, timeout: DEADLINE_MS, maxBuffer: 2 ** 26 };
    execFile(process.execPath, args, options, (_, stdout) => done(stdout));
  });
  const [, passed, failed] = /^# pass (\d+)\n# fail (\d+)/m.exec(output) ?? [];
  return { passed: Number(passed), failed: Number(failed), output };
}

describe("mutations", { concurrency: Math.min(2, availableParallelism()) }, () => {
  for (const mutation of MUTATIONS) {
    it(`${mutation.name} is caught`, async () => {
      using mutant = new Copy(mutation);
      const { passed, failed, output } = await run(mutant.directory, [mutation]);
      assert.equal(passed + failed, 1, `the test is not there, or there twice: ${output}`);
      assert.equal(failed, 1, `${mutation.harm}, and no test says so:\n${output}`);
    });
  }

  it("without a bug the same tests pass", async () => {
    using original = new Copy();
    const { passed, failed, output } = await run(original.directory, MUTATIONS);
    assert.deepEqual([passed, failed], [new Set(MUTATIONS.map(({ test }) => test)).size, 0], output);
  });
});
