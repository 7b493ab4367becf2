import { z } from "zod";

/** What a process of the service is to do. */
export interface ServiceJob {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly group: string;
  /** Each a member of the group. */
  readonly consumers: number;
  readonly database: string;
  readonly collection: string;
}

/** What a process of the service says of itself: lines of JSON on its standard output. */
const serviceLine = z.discriminatedUnion("event", [
  z.object({ event: z.literal("joined"), consumer: z.number(), partitions: z.array(z.number()) }),
  /** Since its start: documents written, and inserts that were refused since the document was there. */
  z.object({ event: z.literal("progress"), written: z.number(), duplicates: z.number() }),
  /** Its last: from call to acknowledgement, over all writes; and by how much its event loop was late. */
  z.object({
    event: z.literal("stopped"),
    writeP50Ms: z.number(),
    writeP99Ms: z.number(),
    loopP99Ms: z.number(),
  }),
]);

export type ServiceLine = z.infer<typeof serviceLine>;

/** Undefined for what isn't one: warnings of Node's, KafkaJS's log. */
export function parseServiceLine(line: string): ServiceLine | undefined {
  if (!line.startsWith('{"event":')) return undefined;
  return serviceLine.parse(JSON.parse(line));
}
