import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, beforeEach, describe, test } from "node:test";
import { startDockerServices } from "../../../src/cli/docker.ts";
import { SpillwayError } from "../../../src/errors.ts";

const PATH = process.env["PATH"];
const directory = mkdtempSync(join(tmpdir(), "spillway-docker-"));
const calls = join(directory, "calls");

beforeEach(() => rmSync(calls, { force: true }));
afterEach(() => {
  process.env["PATH"] = PATH;
});
after(() => rmSync(directory, { recursive: true }));

/** Puts a program `docker` before the real one, which notes what it is asked for and what ports it is told. */
function fakeDocker(script: string): void {
  const body = `#!/bin/sh\necho "$* [$KAFKA_PORT $MONGO_PORT]" >> "${calls}"\n${script}\n`;
  writeFileSync(join(directory, "docker"), body, { mode: 0o755 });
  process.env["PATH"] = `${directory}:${PATH}`;
}

/** What docker was asked for, without the path of the compose file. */
function called(): string[] {
  const lines = existsSync(calls) ? readFileSync(calls, "utf8").trim().split("\n") : [];
  return lines.map((line) => line.replace(/--file \S+docker-compose\.yml/, "--file FILE"));
}

const start = (signal: AbortSignal = AbortSignal.timeout(20_000)) => startDockerServices({ print: () => {}, signal });

describe("services by Docker Compose", () => {
  test("are started as a project of their own on free ports, and removed with their data", async () => {
    fakeDocker("exit 0");
    const { brokers, mongoUrl, stop } = await start();
    const [kafkaPort, mongoPort] = [brokers[0], mongoUrl].map((address) => Number(/\d+(?=\/?$)/.exec(address ?? "")));
    assert.ok(kafkaPort && mongoPort);
    const ports = `[${kafkaPort} ${mongoPort}]`;
    await stop();
    assert.deepEqual(called().slice(2), [
      `compose --project-name spillway-demo --file FILE up --detach --wait kafka mongo ${ports}`,
      `compose --project-name spillway-demo --file FILE down --volumes ${ports}`,
    ]);
  });

  test("are removed if they don't come up, and the reason is told", async () => {
    fakeDocker('case "$*" in *" up "*) echo "port is taken"; exit 18;; esac');
    await assert.rejects(start(), (error) => {
      assert.ok(error instanceof SpillwayError && error.code === "PREREQUISITE_MISSING");
      assert.match(error.message, /up --detach --wait kafka mongo ended with 18:\nport is taken$/);
      return true;
    });
    assert.match(called().at(-1) ?? "", / down --volumes /);
  });

  test("are removed if the start is interrupted", async () => {
    fakeDocker('case "$*" in *" up "*) exec sleep 60;; esac');
    const interrupt = new AbortController();
    const started = start(interrupt.signal);
    while (!called().some((call) => call.includes(" up "))) await new Promise((resolve) => setTimeout(resolve, 20));
    interrupt.abort(new Error("stopped"));
    await assert.rejects(started, { message: "stopped" });
    assert.match(called().at(-1) ?? "", / down --volumes /);
  });

  const absent: readonly (readonly [string, string, RegExp])[] = [
    ["engine", 'echo "Cannot connect to the Docker daemon" >&2; exit 1', /no Docker engine answers \(Cannot connect/],
    ["compose", 'test "$1" = info', /docker has no command compose/],
  ];
  for (const [name, script, message] of absent) {
    test(`without ${name} say what is missing`, async () => {
      fakeDocker(script);
      await assert.rejects(start(), { code: "PREREQUISITE_MISSING", message });
    });
  }

  test("without the program say so", async () => {
    process.env["PATH"] = "/nowhere";
    await assert.rejects(start(), { code: "PREREQUISITE_MISSING", message: /there is no program docker/ });
  });
});
