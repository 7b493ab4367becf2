import assert from "node:assert/strict";
import { test } from "node:test";
import { formatState, parseState, requestKey, stateKey } from "../../../src/dead-letter/parked-key.ts";
import { SpillwayError } from "../../../src/errors.ts";
import { Outage } from "../../../src/sink/outage.ts";
import { ParkedKeys, type ParkedKeysParts } from "../../../src/sink/parked-keys.ts";
import { detached } from "../../../src/sink/progress.ts";
import { newSinkStats } from "../../../src/sink/stats.ts";
import { until } from "./checks.ts";
import { keptLog, TOPIC, TOPIC_ID } from "./memory.ts";
import { MemoryKafka } from "./memory-parking.ts";

const POSITION = { topic: TOPIC, topicId: TOPIC_ID, partition: 0, offset: 0n };
const NAME = { group: "group", topic: TOPIC, partition: 0, key: Buffer.from("k") };
const KEY = stateKey(NAME);

function item(offset: bigint) {
  const bytes = { key: NAME.key, value: null, timestamp: 0n, headers: [], origin: undefined };
  return detached({ topic: TOPIC, partition: 0, offset, ...bytes }, TOPIC_ID);
}

function partsOf(kafka: MemoryKafka, parts: Partial<ParkedKeysParts> = {}): ParkedKeysParts {
  const { log } = keptLog();
  const never = new AbortController().signal;
  return {
    ...kafka.parts().parking,
    ...{ group: "group", maxKeys: 10, retryBackoff: { baseMs: 1, maxMs: 2 }, outage: new Outage("it", log), log },
    ...{ stats: newSinkStats(), confirm: async () => {}, stop: never, abandoned: never },
    ...parts,
  };
}

async function parked(kafka: MemoryKafka, parts: Partial<ParkedKeysParts> = {}): Promise<ParkedKeys> {
  const keys = await ParkedKeys.open([POSITION], partsOf(kafka, parts));
  const dead = { record: item(5n), reason: { code: "c", message: "m" }, attempts: 1 };
  await keys.park(dead, { topic: `${TOPIC}.dead-letter`, partition: 0, offset: 3n });
  return keys;
}

test("what a former owner writes late is set right", async () => {
  const kafka = new MemoryKafka();
  await using keys = await parked(kafka);
  const holds = kafka.control.get(KEY);
  const late = formatState({ state: "open", topicId: TOPIC_ID, from: 5n, through: 7n });
  for (const value of [late, undefined]) {
    kafka.write(KEY, value);
    await until(() => kafka.control.get(KEY) === holds, "it is set right");
  }
  assert.equal(keys.standingOf(item(6n)), "parked");
  kafka.write(stateKey({ ...NAME, partition: 1 }), late);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(kafka.control.get(stateKey({ ...NAME, partition: 1 })), late, "it is somebody else's");
});

test("a key is reopened by its owner only, and forgotten once its records are committed", async () => {
  const kafka = new MemoryKafka();
  let isOver = false;
  const confirm = async () => {
    if (isOver) throw new SpillwayError("FENCED", "over");
  };
  await using keys = await parked(kafka, { confirm });
  const state = keys.stateOf(NAME);
  assert.ok(state?.state === "parked");
  isOver = true;
  await assert.rejects(keys.reopen(NAME, state, 9n), { code: "FENCED" });
  assert.equal(parseState(kafka.control.get(KEY))?.state, "parked");
  isOver = false;
  await keys.reopen(NAME, state, 9n);
  await keys.committed([{ ...POSITION, offset: 9n }]);
  assert.equal(parseState(kafka.control.get(KEY))?.state, "open");
  await keys.committed([{ ...POSITION, offset: 10n }]);
  assert.deepEqual([kafka.control.size, keys.stateOf(NAME)], [0, undefined]);
});

test("requests are handed on once, early and late ones, of its own partitions", async () => {
  const kafka = new MemoryKafka();
  const handed: string[] = [];
  const ask = (id: string, partition = 0) =>
    kafka.write(requestKey({ ...NAME, partition }), JSON.stringify({ id, without: [] }));
  ask("early");
  await using keys = await parked(kafka);
  ask("between");
  keys.hand((_, { id }) => handed.push(id));
  ask("late");
  ask("late");
  ask("of another", 1);
  assert.deepEqual(handed, ["early", "between", "late"]);
  await keys.answered(NAME);
  assert.equal(kafka.control.get(requestKey(NAME)), undefined);
});

test("a generation that is over before its keys are known has ended, not failed", async () => {
  const kafka = new MemoryKafka();
  const stop = new AbortController();
  const { store, letters } = kafka.parts().parking;
  const away = new SpillwayError("BROKER_UNREACHABLE", "away", { retryable: true });
  const parking = { letters, store: { ...store, follow: () => Promise.reject(away) } };
  const opening = ParkedKeys.open([POSITION], partsOf(kafka, { ...parking, stop: stop.signal }));
  stop.abort(new Error("over"));
  await assert.rejects(opening, (error) => error instanceof SpillwayError && error.retryable);
});
