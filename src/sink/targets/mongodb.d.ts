/**
 * The part of the driver's inner modules that BSON is sent by as it is: the driver uses it for its own bulk writes, and
 * offers nothing for it. What is used of it is declared here; the version is pinned exactly for that reason.
 */
declare module "mongodb/lib/cmap/commands.js" {
  import type { Document } from "mongodb";

  /** A list of a command's that stands behind it in the message, not in it. */
  export class DocumentSequence {
    /** @param field what the list is called in the command */
    constructor(field: string);
    /** @param document for whoever watches commands, nothing else */
    push(document: Document, bson: Uint8Array): number;
  }
}
