import assert from "node:assert/strict";
import { test } from "node:test";
import { registryOptions } from "../../../src/cli/registry-options.ts";
import { loadConfig } from "../../../src/config/config.ts";
import type { ConfiguredCommand } from "../../../src/config/option.ts";
import { messageOf } from "../../../src/errors.ts";

const NEEDED = {
  SPILLWAY_BROKERS: "a:1",
  SPILLWAY_MONGO_URL: "mongodb://m/",
  SPILLWAY_SINK_TOPIC: "prices",
};

function load(environment: Readonly<Record<string, string>>, command: ConfiguredCommand = "sink") {
  return loadConfig({ command, environment: { ...NEEDED, ...environment }, flags: new Map() });
}

function problemOf(environment: Readonly<Record<string, string>>, command?: ConfiguredCommand): string {
  try {
    load(environment, command);
  } catch (error) {
    return messageOf(error);
  }
  assert.fail("the configuration was accepted");
}

const URL_SET = { SPILLWAY_REGISTRY_URL: "https://registry:8081/apis/ccompat/v7" };

test("a format that needs a registry needs its address", () => {
  assert.match(problemOf({ SPILLWAY_SINK_VALUE_FORMAT: "registry" }), /registry\.url/);
  assert.match(problemOf({ SPILLWAY_PRICES_VALUE_FORMAT: "avro" }, "prices"), /registry\.url/);
  assert.equal(load({ ...URL_SET, SPILLWAY_SINK_VALUE_FORMAT: "registry" }).values["registry.timeoutMs"], 5_000);
});

test("texts and bytes are no documents by themselves", () => {
  for (const format of ["string", "bytes"]) {
    assert.match(problemOf({ SPILLWAY_SINK_VALUE_FORMAT: format }), /sink\.document to envelope/);
    load({ SPILLWAY_SINK_VALUE_FORMAT: format, SPILLWAY_SINK_DOCUMENT: "envelope" });
  }
});

test("addresses that can't be are refused, without their password", () => {
  for (const wrong of [
    "registry:8081",
    "ftp://registry/",
    "http://registry/?a=1",
    "http://u:p%zz-s3cr3t@registry/",
    "http://",
  ]) {
    const problem = problemOf({ SPILLWAY_REGISTRY_URL: wrong });
    assert.match(problem, /registry\.url/);
    assert.doesNotMatch(problem, /s3cr3t/);
  }
});

test("there is one way to log in, and all of it", () => {
  assert.match(problemOf({ ...URL_SET, SPILLWAY_REGISTRY_USERNAME: "u" }), /needs registry\.password/);
  assert.match(problemOf({ ...URL_SET, SPILLWAY_REGISTRY_PASSWORD: "p-p-p" }), /needs registry\.username/);
  const both = { SPILLWAY_REGISTRY_TOKEN: "t-t-t", SPILLWAY_REGISTRY_URL: "https://u:p-p-p@registry/" };
  assert.match(problemOf(both), /keep one of them/);
  const { warnings } = load({ SPILLWAY_REGISTRY_URL: "http://u:p-p-p@registry/" });
  assert.match(warnings.join(), /registry\.url.*readably/);
});

test("whoever stands in the address is taken out of it", () => {
  const { values } = load({ SPILLWAY_REGISTRY_URL: "https://u%40x:p%3Aq@registry:8081/api" });
  assert.deepEqual(registryOptions(values), {
    url: "https://registry:8081/api",
    timeoutMs: 5_000,
    auth: { kind: "basic", username: "u@x", password: "p:q" },
  });
  const token = load({ ...URL_SET, SPILLWAY_REGISTRY_TOKEN: "t-t-t" }).values;
  assert.deepEqual(registryOptions(token).auth, { kind: "bearer", token: "t-t-t" });
  assert.equal(registryOptions(load(URL_SET).values).auth, undefined);
});
