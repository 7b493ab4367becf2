/** Every block of TypeScript in the documentation compiles against what the package exports. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

const ROOT = resolve(import.meta.dirname, "../../..");
const PAGES = ["README.md", "CONTRIBUTING.md", ...globSync("docs/**/*.md", { cwd: ROOT })];
/** What a reader has before a block begins. */
const BEFORE = `
declare const kafka: import("kafkajs").KafkaConfig;
declare const signal: AbortSignal;
declare function render(report: import("spillway").LagReport): void;
export {};
`;

/** Relative imports would be none of a reader's: blocks lie where only the package can be imported. */
function compile(blocks: readonly string[]): Promise<string> {
  // Within the project, so that packages are found.
  const directory = mkdtempSync(join(ROOT, "node_modules/.snippets-"));
  const options = {
    noUnusedLocals: false,
    noUnusedParameters: false,
    paths: { spillway: [join(ROOT, "src/index.ts")] },
  };
  const include = ["*.ts", join(ROOT, "src/**/*.d.ts")];
  const config = { extends: join(ROOT, "tsconfig.json"), compilerOptions: options, include, exclude: [] };
  writeFileSync(join(directory, "tsconfig.json"), JSON.stringify(config));
  for (const [i, block] of blocks.entries()) writeFileSync(join(directory, `${i}.ts`), block + BEFORE);
  return promisify(execFile)(join(ROOT, "node_modules/.bin/tsc"), ["-p", directory], { timeout: 120_000 })
    .then(() => "")
    .catch(({ stdout, message }) => String(stdout || message))
    .finally(() => rmSync(directory, { recursive: true }));
}

const blocks = PAGES.flatMap((page) =>
  [...readFileSync(join(ROOT, page), "utf8").matchAll(/^```ts\n(.*?)^```/gms)].map(([, block = ""]) => block),
);

test("blocks of TypeScript compile", async () => {
  assert.ok(blocks.length >= 4);
  assert.equal(await compile(blocks), "");
});

test("a block that doesn't is found", async () => {
  const errors = await compile(['import { createSink } from "spillway";\ncreateSink({ kafka, routs: [] });\n']);
  assert.match(errors, /0\.ts\(2,\d+\): error TS2561: .*routs/);
});
