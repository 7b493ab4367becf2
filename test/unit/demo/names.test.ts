import assert from "node:assert/strict";
import { test } from "node:test";
import { Flood } from "../../../src/demo/flood.ts";
import { liveKeys } from "../../../src/demo/live-traffic.ts";
import { commandEnvironment, demoNames, spillwayCommands } from "../../../src/demo/names.ts";

const addresses = { brokers: ["a:1", "b:2"], mongoUrl: "mongodb://user:hunter2@host/" };

test("two runs share no names", () => {
  const values = (): string[] => Object.values(demoNames());
  assert.equal(new Set([...values(), ...values()]).size, 10);
});

test("the database's URL, which may hold a password, is on no command line", () => {
  const names = demoNames();
  const commands = spillwayCommands(names, addresses);
  assert.deepEqual(
    commands.map(({ name, args }) => [name, args[0]]),
    [
      ["relay", "relay"],
      ["sink", "sink"],
    ],
  );
  const all = commands.flatMap(({ args }) => args);
  assert.ok(all.includes("a:1,b:2") && all.includes(names.hot) && all.includes(names.wide));
  assert.ok(!all.some((argument) => argument.includes("hunter2")));
  const { SPILLWAY_MONGO_URL: url } = commandEnvironment(addresses);
  assert.equal(url, addresses.mongoUrl);
});

test("the watched keys are fifty different ones, live ones among them, whatever the flood's size", () => {
  for (const records of [1_000, 200_000]) {
    const keys = new Set([...liveKeys(), ...new Flood(records, 1_000).keysToWatch(50 - liveKeys().length)]);
    assert.equal(keys.size, 50);
  }
});
