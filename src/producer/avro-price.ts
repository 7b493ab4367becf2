import { registeredAvroWriter } from "../decode/registry/avro-writer.ts";
import type { RegistryClient } from "../decode/registry/client.ts";
import { retry } from "../runtime/backoff.ts";
import type { Price } from "./price-feed.ts";

const SCHEMA = JSON.stringify({
  type: "record",
  name: "Price",
  namespace: "spillway",
  fields: [
    { name: "symbol", type: "string" },
    { name: "price", type: "double" },
    { name: "currency", type: "string" },
    { name: "source", type: { type: "enum", name: "PriceSource", symbols: ["ticker", "simulation"] } },
    { name: "seq", type: "long" },
    { name: "at", type: { type: "long", logicalType: "timestamp-millis" } },
  ],
});

/** How long to look for the registry before giving up. */
const DEADLINE_MS = 30_000;
const BACKOFF = { baseMs: 100, maxMs: 2_000 };

/**
 * Registers the schema of prices for the values of these topics, and encodes prices by it.
 * @throws SpillwayError REGISTRY_UNREACHABLE, REGISTRY_REFUSED; the signal's reason
 */
export async function avroPriceEncoder(
  client: RegistryClient,
  topics: readonly string[],
  signal: AbortSignal,
): Promise<(topic: string, price: Price) => Buffer> {
  const writers = new Map<string, (value: unknown) => Buffer>();
  for (const topic of topics) {
    // The subject's name as every serializer has it by default.
    const register = () => registeredAvroWriter(client, `${topic}-value`, SCHEMA, signal);
    writers.set(topic, await retry(register, { signal, backoff: BACKOFF, deadlineMs: DEADLINE_MS }));
  }
  return (topic, price) => {
    const write = writers.get(topic);
    if (write === undefined) throw new Error(`no schema was registered for ${topic}`);
    return write(price);
  };
}
