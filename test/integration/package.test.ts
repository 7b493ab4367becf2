/**
 * What is published: packed, installed into an empty TypeScript project, compiled there as strictly as TypeScript can, and
 * run against real services. The examples are its programs.
 */
import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { MongoClient } from "mongodb";
import { until } from "../helpers/kafka.ts";
import { testServices, uniqueName } from "../helpers/services.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const EXAMPLES = join(ROOT, "examples");
const project = mkdtempSync(join(tmpdir(), "spillway-package-"));
after(() => rmSync(project, { recursive: true, force: true }));

const topic = uniqueName("package");
const database = uniqueName("package");
const { brokers, mongoUrl } = await testServices();
const { PATH = "", HOME = "" } = process.env;
/** With nothing of ours: the library reads no environment. */
const env = {
  ...{ PATH, HOME, SPILLWAY_TEST_RUN: process.env["SPILLWAY_TEST_RUN"] ?? "" },
  ...{ BROKERS: brokers.join(), MONGO_URL: mongoUrl.replace(/\/?$/, `/${database}`), TOPIC: topic },
};

/** As a strict project of today has it; libraries are checked too. */
const TSCONFIG = {
  compilerOptions: {
    ...{ target: "es2024", module: "nodenext", lib: ["es2024", "esnext.disposable"], types: ["node"] },
    ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: false },
    ...{ verbatimModuleSyntax: true, rewriteRelativeImportExtensions: true },
    ...{ rootDir: "src", outDir: "out" },
  },
  include: ["src"],
};

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(command: string, args: readonly string[], cwd: string, timeout = 240_000): Promise<Ended> {
  // How npm reaches its registry is the machine's affair.
  const environment = command === "npm" ? process.env : env;
  try {
    const options = { cwd, env: environment, timeout, maxBuffer: 64 * 1024 * 1024 };
    return { code: 0, ...(await promisify(execFile)(command, [...args], options)) };
  } catch (error) {
    const { code = -1, stdout = "", stderr = String(error) } = error as Partial<Ended>;
    return { code, stdout, stderr };
  }
}

async function succeed(command: string, args: readonly string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, cwd);
  assert.equal(code, 0, `${command} ${args.join(" ")}\n${stdout}\n${stderr}`);
  return stdout;
}

let packed: { readonly filename: string; readonly files: readonly { readonly path: string }[] };

before(async () => {
  const said = await succeed("npm", ["pack", "--json", "--pack-destination", project], ROOT);
  // What building says comes before it.
  packed = JSON.parse(said.slice(said.indexOf("[\n")))[0];
  const manifest = { name: "empty", version: "1.0.0", type: "module", private: true };
  writeFileSync(join(project, "package.json"), JSON.stringify(manifest));
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify(TSCONFIG));
  const types = `@types/node@${JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).devDependencies["@types/node"]}`;
  const quiet = ["--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"];
  await succeed("npm", ["install", ...quiet, types, join(project, packed.filename)], project);
});

test("only what is needed is published", () => {
  const paths = packed.files.map(({ path }) => path);
  const outside = paths.filter((path) => !path.startsWith("dist/")).toSorted();
  assert.deepEqual(outside, ["CHANGELOG.md", "LICENSE", "README.md", "docker-compose.yml", "package.json"]);
  const inside = paths.filter((path) => path.startsWith("dist/"));
  assert.deepEqual(
    inside.filter((path) => !/\.(js|d\.ts)$/.test(path)),
    [],
  );
  // What was compiled is what is there now: nothing that an earlier build left behind.
  const sources = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".d.ts"))
    .flatMap((path) => [`dist/${path.replace(/ts$/, "js")}`, `dist/${path.replace(/ts$/, "d.ts")}`]);
  assert.deepEqual(inside.toSorted(), sources.toSorted());
});

test("the examples compile against it, strictly, the types of its dependencies included", async () => {
  mkdirSync(join(project, "src"), { recursive: true });
  cpSync(EXAMPLES, join(project, "src"), { recursive: true });
  // The rest of what it exports, and its second entry.
  writeFileSync(
    join(project, "src/exports.ts"),
    'import * as spillway from "spillway";\nimport { openDynamoTarget } from "spillway/dynamodb";\n' +
      "console.log(JSON.stringify([...Object.keys(spillway), typeof openDynamoTarget]));\n",
  );
  await succeed(join(ROOT, "node_modules/.bin/tsc"), ["-p", "tsconfig.json"], project);
});

test("its entries load, and export what they should", async () => {
  const names: string[] = JSON.parse(await succeed(process.execPath, ["out/exports.js"], project));
  for (const name of ["createRelay", "createSink", "createProducer", "readLag", "verify", "function"]) {
    assert.ok(names.includes(name), `${name} is not among ${names.join()}`);
  }
});

/** What an example says on its last line. */
async function example(name: string, ...args: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  const stdout = await succeed(process.execPath, [`out/${name}.js`, ...args], project);
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
}

test("the examples run one after the other: produce, relay, verify, sink, lag", async () => {
  assert.deepEqual(await example("producer"), { live: 300, flood: 3_000 });
  const targets = [`${topic}.wide`, `${topic}.backfill`];
  assert.deepEqual(await example("relay-job"), { written: 3_300, targets });
  assert.deepEqual(await example("verify-backfill"), {
    ...{ sourceRecords: 3_300, targetRecords: 3_300, missing: 0, duplicated: 0, outOfOrder: 0, proven: true },
  });
  assert.deepEqual(await sinkExample(), { written: 300, deadLetters: 0 });
  const { group, status } = await example("lag-check");
  assert.deepEqual([group, status], [`spillway-sink-${topic}.wide`, "caught up"]);
});

/** Runs until the price list is complete, then stops it as an orchestrator would. */
async function sinkExample(): Promise<unknown> {
  const child = spawn(process.execPath, ["out/sink-map.js"], { cwd: project, env, stdio: ["ignore", "pipe", "pipe"] });
  const output = collect(child);
  await using client = await new MongoClient(mongoUrl).connect();
  try {
    await until("the price list", async () => {
      if (child.exitCode !== null) assert.fail(output.text);
      const list = await client.db(database).collection("price-list").find().toArray();
      const prices = list.map(({ prices }) => Object.keys(prices as object).length);
      return list.length === 3 && prices.every((count) => count === 100);
    });
    child.kill("SIGTERM");
    const [code] = await once(child, "close");
    assert.equal(code, 0, output.text);
    return JSON.parse(output.text.trim().split("\n").at(-1) ?? "");
  } finally {
    child.kill("SIGKILL");
    await client.db(database).dropDatabase();
  }
}

function collect({ stdout, stderr }: ChildProcess): { readonly text: string } {
  const output = { text: "" };
  for (const stream of [stderr, stdout]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output.text += text;
    });
  }
  return output;
}

test("the command works as installed, and says what only a checkout has", async () => {
  const spillway = join(project, "node_modules/.bin/spillway");
  const shown = await run(
    spillway,
    ["verify", topic, "--in", `${topic}.wide,${topic}.backfill`, "--brokers", env.BROKERS],
    project,
  );
  assert.equal(shown.code, 0, shown.stderr);
  for (const args of [["services", "up"], ["demo"]]) {
    const { code, stderr } = await run(spillway, args, project, 60_000);
    assert.equal(code, 7, `${args.join(" ")}: ${stderr}`);
    assert.match(stderr, /local services are not part of the package.*Run this in a checkout/s);
  }
});
