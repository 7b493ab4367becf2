import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Brokers } from "../../src/kafka/cluster.ts";
import { ERROR } from "../../src/kafka/error-codes.ts";
import type { KafkaOptions } from "../../src/kafka/options.ts";
import { array, int8, int16, int32, nullableString, string, struct } from "../../src/kafka/protocol/codec.ts";
import { testLog } from "./kafka.ts";
import type { Topics } from "./parts.ts";

const DOC = new URL("../../docs/security.md", import.meta.url);

/** One permission that a part of Spillway needs, as `docs/security.md` has it. */
export interface Need {
  readonly part: string;
  readonly resource: keyof typeof RESOURCE;
  readonly name: string;
  readonly isPrefix: boolean;
  readonly operation: keyof typeof OPERATION;
}

const RESOURCE = { topic: 2, group: 3, "transactional id": 5 } as const;
const OPERATION = { READ: 3, WRITE: 4, DESCRIBE: 8 } as const;
const [LITERAL, PREFIXED, ALLOW] = [3, 4, 3];

/** The table of least permissions, with the names of these topics in the place of `hot` and `wide`. */
export function documentedNeeds({ hot, wide }: Topics): readonly Need[] {
  const text = readFileSync(DOC, "utf8");
  const rows = text.matchAll(
    /^\| (relay|sink|lag) \| (topic|group|transactional id) \| `([^`]+)`( \(prefix\))? \| `(\w+)` \|/gm,
  );
  return [...rows].map(([, part = "", resource, name = "", prefix, operation]) => ({
    part,
    resource: resource as Need["resource"],
    name: name.replace(/\bhot\b/g, hot).replace(/\bwide\b/g, wide),
    isPrefix: prefix !== undefined,
    operation: operation as Need["operation"],
  }));
}

interface Grant {
  readonly user: string;
  readonly needs: readonly Need[];
}

/** What is documented: each part is a user of its own. */
export function grantsFor(topics: Topics): readonly Grant[] {
  const needs = documentedNeeds(topics);
  return ["relay", "sink", "lag"].map((user) => ({ user, needs: needs.filter(({ part }) => part === user) }));
}

/** For each need a user that has all of its part's but that one. It may still see what it may not use. */
export function grantsWithoutOne(topics: Topics): readonly Grant[] {
  return grantsFor(topics).flatMap(({ needs }) =>
    needs.map((missing) => ({
      user: userWithout(missing),
      needs: needs.flatMap((need): readonly Need[] => {
        if (need !== missing) return [need];
        return need.operation === "DESCRIBE" ? [] : [{ ...need, operation: "DESCRIBE" }];
      }),
    })),
  );
}

export function userWithout({ part, resource, name, operation }: Need): string {
  return `${part} without ${operation} on ${resource} ${name}`.replaceAll(/[^\w-]+/g, "-");
}

/** Allows each user what it needs, and nothing else. */
export async function grantAll(admin: KafkaOptions, grants: readonly Grant[]): Promise<void> {
  const creations = grants.flatMap(({ user, needs }) =>
    needs.map(({ resource, name, isPrefix, operation }) => ({
      resourceType: RESOURCE[resource],
      resourceName: name,
      resourcePatternType: isPrefix ? PREFIXED : LITERAL,
      principal: `User:${user}`,
      host: "*",
      operation: OPERATION[operation],
      permissionType: ALLOW,
    })),
  );
  await using brokers = new Brokers(admin, testLog);
  const { results } = await brokers.request(createAcls, { creations }, "any");
  for (const { errorCode, errorMessage } of results) assert.equal(errorCode, ERROR.NONE, errorMessage ?? "");
}

// What Spillway itself never asks of a broker.
const createAcls = {
  name: "CreateAcls",
  key: 30,
  version: 3,
  request: struct({
    creations: array(
      struct({
        resourceType: int8,
        resourceName: string,
        resourcePatternType: int8,
        principal: string,
        host: string,
        operation: int8,
        permissionType: int8,
      }),
    ),
  }),
  response: struct({
    throttleTimeMs: int32,
    results: array(struct({ errorCode: int16, errorMessage: nullableString })),
  }),
};
