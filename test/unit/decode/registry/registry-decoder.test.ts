import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Decoded } from "../../../../src/decode/decoded.ts";
import type { Answer } from "../../../../src/decode/registry/client.ts";
import type { SchemaSource } from "../../../../src/decode/registry/fetch-schema.ts";
import type { SchemaReference, SchemaText } from "../../../../src/decode/registry/registered-schema.ts";
import { RegistryDecoder } from "../../../../src/decode/registry/registry-decoder.ts";
import { SpillwayError } from "../../../../src/errors.ts";
import { framed, zigzag } from "../encode.ts";

const never = new AbortController().signal;
const LONG: SchemaText = { type: "AVRO", schema: '"long"', references: [] };
const AWAY = new SpillwayError("REGISTRY_UNREACHABLE", "away", { retryable: true });

/** What a registry would answer; counts what it is asked. */
class Schemas implements SchemaSource {
  readonly byId = new Map<number, SchemaText>();
  readonly bySubject = new Map<string, SchemaText>();
  readonly asked: number[] = [];
  mostAtOnce = 0;
  #atOnce = 0;
  away = false;

  async schema(id: number): Promise<Answer<SchemaText>> {
    this.asked.push(id);
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#atOnce);
    await new Promise(setImmediate);
    this.#atOnce--;
    if (this.away) throw AWAY;
    const value = this.byId.get(id);
    return value === undefined ? { kind: "missing" } : { kind: "found", value };
  }

  async version({ subject }: SchemaReference): Promise<Answer<SchemaText>> {
    const value = this.bySubject.get(subject);
    return value === undefined ? { kind: "missing" } : { kind: "found", value };
  }
}

function reasonOf(decoded: Decoded): string {
  assert.equal(decoded.kind, "poison");
  return decoded.kind === "poison" ? decoded.reason : "";
}

function fast(schemas: Schemas, options = {}): RegistryDecoder {
  return new RegistryDecoder(schemas, { confirmAfterMs: 1, failedForMs: 0, ...options });
}

describe("values by a schema registry", () => {
  test("a schema is asked for once, however many batches want it at once", async () => {
    const schemas = new Schemas();
    for (let id = 1; id <= 30; id++) schemas.byId.set(id, LONG);
    const decoder = fast(schemas);
    const values = Array.from({ length: 300 }, (_, i) => framed(1 + (i % 30), zigzag(i)));
    await Promise.all([decoder.prepare(values, never), decoder.prepare(values, never)]);
    await decoder.prepare(values, never);
    assert.deepEqual(
      schemas.asked.toSorted((a, b) => a - b),
      Array.from({ length: 30 }, (_, i) => i + 1),
    );
    assert.ok(schemas.mostAtOnce <= 16, `${schemas.mostAtOnce} requests at once by two batches`);
    for (const [i, value] of values.entries()) assert.deepEqual(decoder.decode(value), { kind: "value", value: i });
  });

  test("what isn't in the wire format is poison without a question", async () => {
    const schemas = new Schemas();
    const decoder = fast(schemas);
    const values = { empty: "", "wrong-magic-byte": "01000000010203", truncated: "00000000" };
    for (const [reason, hex] of Object.entries(values)) {
      const value = Buffer.from(hex, "hex");
      await decoder.prepare([value], never);
      assert.equal(reasonOf(decoder.decode(value)), reason);
    }
    await decoder.prepare([Buffer.from('{"json":true}')], never);
    assert.equal(reasonOf(decoder.decode(Buffer.from('{"json":true}'))), "wrong-magic-byte");
    assert.deepEqual(schemas.asked, []);
  });

  test("an unknown id is poison when the registry has said so twice, which holds for a while", async () => {
    const schemas = new Schemas();
    const decoder = fast(schemas, { unknownForMs: 3_600_000 });
    const value = framed(5, zigzag(7));
    for (let round = 0; round < 2; round++) {
      await decoder.prepare([value], never);
      assert.equal(reasonOf(decoder.decode(value)), "unknown-schema");
      assert.deepEqual(schemas.asked, [5, 5]);
    }
  });

  test("an unknown id is no poison any more once it is registered", async () => {
    const schemas = new Schemas();
    const decoder = fast(schemas, { unknownForMs: 0 });
    const value = framed(5, zigzag(7));
    await decoder.prepare([value], never);
    assert.equal(reasonOf(decoder.decode(value)), "unknown-schema");
    schemas.byId.set(5, LONG);
    await sleep(2);
    await decoder.prepare([value], never);
    assert.deepEqual(decoder.decode(value), { kind: "value", value: 7 });
  });

  test("a registry whose replica is a little behind makes no poison", async () => {
    const schemas = new Schemas();
    const decoder = fast(schemas, { confirmAfterMs: 20 });
    const value = framed(6, zigzag(8));
    const prepared = decoder.prepare([value], never);
    await sleep(5);
    schemas.byId.set(6, LONG);
    await prepared;
    assert.deepEqual(decoder.decode(value), { kind: "value", value: 8 });
  });

  test("a negative id is no question for a registry", async () => {
    const schemas = new Schemas();
    const decoder = fast(schemas);
    const value = framed(-1, zigzag(1));
    assert.equal(await decoder.prepare([value], never), false);
    assert.equal(reasonOf(decoder.decode(value)), "unknown-schema");
    assert.deepEqual(schemas.asked, []);
  });

  test("while the registry is away known schemas go on, and new ones are an outage", async () => {
    const schemas = new Schemas();
    schemas.byId.set(1, LONG).set(2, LONG);
    const decoder = fast(schemas);
    assert.equal(await decoder.prepare([framed(1, zigzag(1))], never), true);
    schemas.away = true;
    assert.equal(await decoder.prepare([framed(1, zigzag(1))], never), false, "that it is there");
    assert.deepEqual(decoder.decode(framed(1, zigzag(-9))), { kind: "value", value: -9 });
    await assert.rejects(decoder.prepare([framed(1, zigzag(1)), framed(2, zigzag(1))], never), AWAY);
    schemas.away = false;
    await decoder.prepare([framed(2, zigzag(1))], never);
    assert.deepEqual(decoder.decode(framed(2, zigzag(3))), { kind: "value", value: 3 });
  });

  test("a request that has failed is the answer to all who ask in the next while, and no longer", async () => {
    const schemas = new Schemas();
    schemas.byId.set(1, LONG).set(2, LONG);
    const decoder = fast(schemas, { failedForMs: 30 });
    schemas.away = true;
    const value = framed(1, zigzag(1));
    await assert.rejects(decoder.prepare([value], never), AWAY);
    const { length } = schemas.asked;
    schemas.away = false;
    for (let lane = 0; lane < 10; lane++) await assert.rejects(decoder.prepare([value], never), AWAY);
    assert.equal(schemas.asked.length, length);
    await decoder.prepare([framed(2, zigzag(1))], never); // of another schema that says nothing
    await sleep(35);
    await decoder.prepare([value], never);
    assert.deepEqual(decoder.decode(value), { kind: "value", value: 1 });
  });

  test("it knows what it need not ask for: schemas, what is no schema's, and unknown ids for a while", async () => {
    const schemas = new Schemas();
    schemas.byId.set(1, LONG);
    const decoder = fast(schemas, { unknownForMs: 20 });
    const [known, unknown] = [framed(1, zigzag(1)), framed(5, zigzag(1))];
    assert.deepEqual([decoder.knows(known), decoder.knows(unknown)], [false, false]);
    assert.equal(decoder.knows(Buffer.from("{}")), true);
    await decoder.prepare([known, unknown], never);
    assert.deepEqual([decoder.knows(known), decoder.knows(unknown)], [true, true]);
    await sleep(25);
    assert.deepEqual([decoder.knows(known), decoder.knows(unknown)], [true, false]);
  });

  test("an unknown id that is due to be asked for again is an outage while the registry is away", async () => {
    const schemas = new Schemas();
    const decoder = fast(schemas, { unknownForMs: 0 });
    await decoder.prepare([framed(1, zigzag(1))], never);
    schemas.away = true;
    await sleep(2);
    await assert.rejects(decoder.prepare([framed(1, zigzag(1))], never), AWAY);
  });

  test("a schema that can't be read by is poison, and asked for once", async () => {
    const schemas = new Schemas();
    schemas.byId.set(1, { ...LONG, schema: '{"type":"no-such"}' }).set(2, { ...LONG, type: "XML" });
    schemas.byId.set(3, { ...LONG, schema: "not JSON" });
    const decoder = fast(schemas);
    for (const id of [1, 2, 3]) {
      for (let round = 0; round < 2; round++) {
        await decoder.prepare([framed(id, zigzag(1))], never);
        assert.equal(reasonOf(decoder.decode(framed(id, zigzag(1)))), "invalid-schema");
      }
    }
    assert.deepEqual(schemas.asked, [1, 2, 3]);
  });

  test("schemas are read with all they refer to; a reference that leads nowhere is an unknown schema", async () => {
    const schemas = new Schemas();
    const refer = (subject: string) => ({ name: subject, subject, version: 1 });
    const record = (name: string, type: string, references: readonly SchemaReference[]): SchemaText => {
      return {
        type: "AVRO",
        schema: JSON.stringify({ type: "record", name, fields: [{ name: "x", type }] }),
        references,
      };
    };
    schemas.bySubject.set("B", record("B", "C", [refer("C")])).set("C", record("C", "long", []));
    schemas.byId.set(1, record("A", "B", [refer("B"), refer("C")])).set(2, record("D", "E", [refer("E")]));
    const decoder = fast(schemas);
    const values = [framed(1, zigzag(4)), framed(2, zigzag(4))] as const;
    await decoder.prepare(values, never);
    assert.deepEqual(decoder.decode(values[0]), { kind: "value", value: { x: { x: { x: 4 } } } });
    assert.equal(reasonOf(decoder.decode(values[1])), "unknown-schema");
  });

  test("schemas that refer to each other come to an end", async () => {
    const schemas = new Schemas();
    const references = [{ name: "A", subject: "A", version: 1 }];
    schemas.bySubject.set("A", { ...LONG, references });
    schemas.byId.set(1, { ...LONG, references });
    const decoder = fast(schemas);
    await decoder.prepare([framed(1, zigzag(1))], never);
    assert.deepEqual(decoder.decode(framed(1, zigzag(1))), { kind: "value", value: 1 });
  });

  test("what is kept is bounded, yet a batch has all that it needs", async () => {
    const schemas = new Schemas();
    for (let id = 1; id <= 40; id++) schemas.byId.set(id, LONG);
    const decoder = fast(schemas, { schemas: 10 });
    const batch = (from: number, to: number) =>
      Array.from({ length: to - from + 1 }, (_, i) => framed(from + i, zigzag(i)));
    const decodeAll = async (values: readonly Buffer[]) => {
      await decoder.prepare(values, never);
      for (const value of values) assert.equal(decoder.decode(value).kind, "value");
    };
    await Promise.all([decodeAll(batch(1, 30)), decodeAll(batch(5, 40)), decodeAll(batch(20, 25))]);
    await new Promise(setImmediate);
    const before = schemas.asked.length;
    for (let id = 1; id <= 40; id++) await decodeAll(batch(id, id));
    assert.ok(schemas.asked.length - before >= 30, "more schemas were kept than the bound");
  });

  test("whoever is aborted leaves, and others get what was asked for", async () => {
    const schemas = new Schemas();
    schemas.byId.set(1, LONG);
    const decoder = fast(schemas);
    const value = framed(1, zigzag(1));
    const leaving = new AbortController();
    const left = decoder.prepare([value], leaving.signal);
    const stays = decoder.prepare([value], never);
    leaving.abort(new Error("left"));
    await assert.rejects(left, /left/);
    await stays;
    assert.equal(decoder.decode(value).kind, "value");
    assert.deepEqual(schemas.asked, [1]);
  });
});
