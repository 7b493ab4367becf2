import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { EXIT, exitCodeOf } from "../../../src/cli/exit-codes.ts";
import { printError } from "../../../src/cli/print-error.ts";
import { SpillwayError } from "../../../src/errors.ts";

let printed = "";

beforeEach(() => {
  printed = "";
  mock.method(process.stderr, "write", (text: string) => {
    printed += text;
    return true;
  });
});
afterEach(() => mock.restoreAll());

test("an error of ours is one message with place and hint, and no stack", () => {
  const context = { topic: "hot", partition: 3, hint: "Make it first" };
  printError(new SpillwayError("TOPIC_MISSING", "The topic does not exist", { context }), false);
  assert.equal(printed, "spillway: The topic does not exist (topic hot, partition 3). Make it first\n");
});

test("causes are named once, secrets are masked", () => {
  const cause = new Error("connect to mongodb://me:hunter2@h", { cause: new Error("ECONNREFUSED") });
  printError(new SpillwayError("DATABASE_UNREACHABLE", "No database: ECONNREFUSED", { cause }), false);
  assert.equal(printed, "spillway: No database: ECONNREFUSED\n  because: connect to mongodb://me:***@h\n");
});

test("what isn't ours is called unexpected, and says how to see more", () => {
  printError(new TypeError("x is not a function"), false);
  assert.match(printed, /^spillway: unexpected error: x is not a function\n.*--log-level debug/);
});

test("at debug the stack is there", () => {
  printError(new SpillwayError("PROTOCOL", "odd"), true);
  assert.match(printed, /\n\s+at /);
});

test("errors have exit codes of their own, and bugs have 1", () => {
  assert.equal(exitCodeOf(new TypeError("x")), EXIT.unexpected);
  assert.equal(exitCodeOf("thrown"), EXIT.unexpected);
  assert.equal(exitCodeOf(new SpillwayError("CONFIG_INVALID", "x")), EXIT.configuration);
  const codes = (["BROKER_UNREACHABLE", "DATABASE_UNREACHABLE", "TOPIC_MISSING", "PREREQUISITE_MISSING"] as const).map(
    (code) => exitCodeOf(new SpillwayError(code, "x")),
  );
  assert.deepEqual(codes, [3, 4, 6, 7]);
});
