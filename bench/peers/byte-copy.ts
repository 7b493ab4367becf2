import { join } from "node:path";
import type { Peer } from "./peer.ts";

const PROGRAM = join(import.meta.dirname, "byte-copy-relay.ts");

/** The limit: what the same client and broker do when nobody looks at a record. */
export const byteCopy: Peer = {
  name: "byte-copy",
  guarantee: "at-least-once",
  warmup: "native",
  loops: true,
  variants: [
    {
      name: "in turn",
      settings: () => ({
        program: "batches as they are, to the target's partitions in turn; only producer fields and CRC written anew",
      }),
      command: (job) => ({ command: process.execPath, args: [...job.nodeFlags, PROGRAM, JSON.stringify(job)] }),
    },
  ],
};
