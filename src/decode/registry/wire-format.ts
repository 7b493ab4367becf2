/** Confluent's wire format: a byte 0, the schema's id as a big-endian int32, and the payload. */
const MAGIC_BYTE = 0;
const HEADER_BYTES = 5;

export type Framed =
  | { readonly kind: "framed"; readonly schemaId: number; readonly payload: Buffer }
  | {
      readonly kind: "poison";
      readonly reason: "empty" | "wrong-magic-byte" | "truncated" | "unknown-schema";
      readonly message: string;
    };

export function readFrame(value: Buffer): Framed {
  if (value.length === 0) return { kind: "poison", reason: "empty", message: "the value has no bytes" };
  if (value[0] !== MAGIC_BYTE) {
    const message = `the value begins with the byte ${value[0]} instead of ${MAGIC_BYTE}: it wasn't written by a registry's serializer`;
    return { kind: "poison", reason: "wrong-magic-byte", message };
  }
  if (value.length < HEADER_BYTES) {
    return { kind: "poison", reason: "truncated", message: "the value ends within the id of its schema" };
  }
  const schemaId = value.readInt32BE(1);
  if (schemaId < 0)
    return { kind: "poison", reason: "unknown-schema", message: `no registry has a schema ${schemaId}` };
  return { kind: "framed", schemaId, payload: value.subarray(HEADER_BYTES) };
}

export function writeFrame(schemaId: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeInt32BE(schemaId, 1);
  return Buffer.concat([header, payload]);
}
