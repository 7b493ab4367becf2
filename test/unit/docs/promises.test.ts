/** What the documentation refers to is there: the tests that prove promises, and the pages that links lead to. */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { test } from "node:test";

const ROOT = resolve(import.meta.dirname, "../../..");
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

interface Proof {
  readonly file: string;
  readonly title: string;
}

/** The rows of the promises' tables. */
function proofs(text: string): Proof[] {
  return [...text.matchAll(/^\| `(test\/[^`]+)` \| (.*) \|$/gm)].map(([, file = "", title = ""]) => ({ file, title }));
}

/** The titles of a file's tests, as they stand there: what is in `${…}` is known only when they run. */
function titlesOf(file: string): string[] {
  return [...read(file).matchAll(/\b(?:test|it)\(\s*(?:"((?:[^"\\]|\\.)*)"|`((?:[^`\\]|\\.)*)`)/g)].map(
    ([, plain, template = ""]) => plain ?? template,
  );
}

function isThere({ file, title }: Proof): boolean {
  return existsSync(join(ROOT, file)) && titlesOf(file).some((one) => one.includes(title));
}

test("each promise has its limits and tests that exist, by file and title", () => {
  const [, ...promises] = read("docs/PROMISES.md").split(/^## /m);
  assert.ok(promises.length >= 7);
  for (const promise of promises) {
    const name = promise.slice(0, promise.indexOf("\n"));
    assert.match(promise, /^\*\*Limits\.\*\* \S/m, name);
    const named = proofs(promise);
    assert.ok(named.length > 0, `${name}: no test`);
    assert.deepEqual(
      named.filter((proof) => !isThere(proof)),
      [],
      name,
    );
  }
});

test("a test that doesn't exist would be noticed", () => {
  const [one] = proofs("| `test/unit/docs/promises.test.ts` | a test that doesn't exist would be noticed |");
  assert.ok(one !== undefined && isThere(one));
  assert.ok(!isThere({ ...one, title: "a test of another name" }));
  assert.ok(!isThere({ ...one, file: "test/unit/docs/none.test.ts" }));
});

test("links between pages lead somewhere", () => {
  const pages = ["README.md", "CONTRIBUTING.md", ...globSync(["docs/**/*.md", "deploy/**/*.md"], { cwd: ROOT })];
  const links = pages.flatMap((page) =>
    [...read(page).matchAll(/\]\((?!https?:|#)([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, to = ""]) => ({ page, to })),
  );
  assert.ok(links.length > 10);
  assert.deepEqual(
    links.filter(({ page, to }) => !existsSync(join(ROOT, dirname(page), to))),
    [],
  );
});
