import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CONFIGURED_COMMANDS } from "../../../src/config/option.ts";
import { OPTION_KEYS, OPTIONS, optionOf } from "../../../src/config/option-table.ts";
import { GROUP_DEFAULTS } from "../../../src/kafka/group-member.ts";
import { FETCH_DEFAULTS } from "../../../src/kafka/source.ts";
import { WRITER_DEFAULTS } from "../../../src/kafka/writer.ts";
import { BACKFILL_PROFILES } from "../../../src/producer/backfill-plan.ts";
import { DYNAMO_DEFAULTS } from "../../../src/sink/targets/dynamo.ts";
import { MONGO_DEFAULTS } from "../../../src/sink/targets/mongo.ts";

describe("the table", () => {
  test("no variable is used twice, and none ends as those of secrets' files do", () => {
    const variables = OPTION_KEYS.flatMap((key) => {
      const { env, secret } = optionOf(key);
      return secret === undefined ? [env] : [env, `${env}_FILE`];
    });
    assert.deepEqual(variables, [...new Set(variables)]);
  });

  test("no command has a flag twice", () => {
    for (const command of CONFIGURED_COMMANDS) {
      const flags = OPTION_KEYS.map(optionOf).flatMap(({ commands, flag }) =>
        commands.includes(command) && flag !== undefined ? [flag] : [],
      );
      assert.deepEqual(flags, [...new Set(flags)], command);
    }
  });

  test("no key is the section of another", () => {
    for (const key of OPTION_KEYS) assert.ok(!OPTION_KEYS.some((other) => other.startsWith(`${key}.`)), key);
  });

  test("defaults are allowed values", () => {
    for (const key of OPTION_KEYS) {
      const { default: preset, kind } = optionOf(key);
      if (preset !== undefined) assert.deepEqual(kind.schema.parse(preset), preset, key);
    }
  });

  test("secrets as a whole have no flag", () => {
    for (const key of OPTION_KEYS) {
      const { secret, flag } = optionOf(key);
      if (secret === "whole") assert.equal(flag, undefined, key);
    }
  });

  test("only required options may be missing where there is no default", () => {
    for (const key of OPTION_KEYS) {
      const { requiredBy = [], commands, default: preset } = optionOf(key);
      assert.ok(
        requiredBy.every((command) => commands.includes(command) && preset === undefined),
        key,
      );
    }
  });
});

test("the defaults are those of the parts", () => {
  const preset = (key: keyof typeof OPTIONS): unknown => optionOf(key).default;
  assert.deepEqual(
    {
      sessionTimeoutMs: preset("consumer.sessionTimeoutMs"),
      heartbeatMs: preset("consumer.heartbeatMs"),
      rebalanceTimeoutMs: preset("consumer.rebalanceTimeoutMs"),
      offsetReset: preset("consumer.offsetReset"),
      metadataRefreshMs: preset("consumer.metadataRefreshMs"),
    },
    GROUP_DEFAULTS,
  );
  assert.deepEqual(
    {
      maxWaitMs: preset("consumer.fetchMaxWaitMs"),
      minBytes: preset("consumer.fetchMinBytes"),
      partitionBytes: preset("consumer.fetchPartitionBytes"),
      responseBytes: preset("consumer.fetchResponseBytes"),
      queuedBytes: preset("consumer.fetchQueuedBytes"),
      isolation: "read_committed",
      outOfRange: preset("consumer.outOfRange"),
    },
    FETCH_DEFAULTS,
  );
  assert.equal(preset("relay.inFlightBytes"), WRITER_DEFAULTS.inFlightBytes);
  assert.equal(preset("relay.deliveryTimeoutMs"), WRITER_DEFAULTS.deliveryTimeoutMs);
  assert.deepEqual(
    {
      maxPoolSize: preset("mongo.maxPoolSize"),
      serverSelectionTimeoutMs: preset("mongo.serverSelectionTimeoutMs"),
      writeTimeoutMs: preset("mongo.writeTimeoutMs"),
    },
    MONGO_DEFAULTS,
  );
  assert.deepEqual(
    {
      key: preset("dynamo.key"),
      createTables: preset("dynamo.createTable"),
      maxSockets: preset("dynamo.maxSockets"),
      requestTimeoutMs: preset("dynamo.requestTimeoutMs"),
    },
    DYNAMO_DEFAULTS,
  );
  for (const profile of Object.keys(BACKFILL_PROFILES)) OPTIONS["backfill.profile"].kind.schema.parse(profile);
});
