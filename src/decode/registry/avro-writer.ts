import type { RegistryClient } from "./client.ts";
import { parseAvro } from "./parse-schema.ts";
import { writeFrame } from "./wire-format.ts";

/**
 * Registers an Avro schema under a subject and yields what encodes values by it, in the registry's wire format.
 * @throws SpillwayError REGISTRY_UNREACHABLE, retryable; REGISTRY_REFUSED
 */
export async function registeredAvroWriter(
  client: RegistryClient,
  subject: string,
  schema: string,
  signal: AbortSignal,
): Promise<(value: unknown) => Buffer> {
  const type = parseAvro({ schema, referenced: [] });
  const id = await client.register(subject, { type: "AVRO", schema }, signal);
  return (value) => writeFrame(id, type.toBuffer(value));
}
