import type { Insert, Latest } from "../operations.ts";
import type { Item } from "./dynamo-items.ts";

/** An operation that is ready to be sent. */
export interface Put {
  /** Its place in the batch. */
  readonly index: number;
  readonly operation: Insert | Latest;
  /** What it is in order with. */
  readonly group: string | number;
  readonly item: Item;
  readonly bytes: number;
}

/** What one request carries: several inserts, or a single `latest`, since a batch of DynamoDB's has no conditions. */
export type Request = Put[];
/** Requests that may be sent side by side. A wave begins when the one before it is done. */
export type Wave = Request[];

/** BatchWriteItem takes no more. */
export const MAX_ITEMS = 25;
/**
 * BatchWriteItem takes 16 MB of JSON. That is nine times as much as its items count at most: an empty text in a list is one
 * byte for DynamoDB and written as `{"S":""},`.
 */
export const MAX_REQUEST_BYTES = Math.floor(16_000_000 / 9);

/**
 * Cuts a batch into requests: side by side what doesn't depend on each other, in waves what does.
 *
 * Puts of one group keep their order: those that follow each other share a request as far as it takes them, the next come in
 * a later wave. Where the group is a record's key, hot keys so fill requests, and all others go in the first wave. No
 * request holds an id twice, which DynamoDB would refuse, so long as an id is of one group.
 */
export function planWaves(puts: readonly Put[]): readonly Wave[] {
  const waves: OpenWave[] = [];
  for (const ofGroup of Map.groupBy(puts, ({ group }) => group).values()) {
    for (const [turn, part] of inParts(ofGroup).entries()) {
      let wave = waves[turn];
      if (wave === undefined) {
        wave = new OpenWave();
        waves.push(wave);
      }
      wave.add(part);
    }
  }
  return waves.map(({ requests }) => requests);
}

/** Neighbours that may share a request. */
function inParts(puts: readonly Put[]): readonly Request[] {
  const parts: Request[] = [];
  let ids = new Set<string>();
  let bytes = 0;
  for (const put of puts) {
    const { kind, id } = put.operation;
    const part = parts.at(-1);
    const joins = part?.[0]?.operation.kind === "insert" && kind === "insert" && !ids.has(id);
    if (part !== undefined && joins && part.length < MAX_ITEMS && bytes + put.bytes <= MAX_REQUEST_BYTES) {
      part.push(put);
      ids.add(id);
      bytes += put.bytes;
    } else {
      parts.push([put]);
      ids = new Set([id]);
      bytes = put.bytes;
    }
  }
  return parts;
}

class OpenWave {
  readonly requests: Wave = [];
  /** The request of inserts that may have room. */
  #open: Put[] | undefined;
  #bytes = 0;

  add(part: Request): void {
    if (part[0]?.operation.kind === "latest") {
      this.requests.push(part);
      return;
    }
    const bytes = part.reduce((sum, put) => sum + put.bytes, 0);
    if (
      this.#open !== undefined &&
      this.#open.length + part.length <= MAX_ITEMS &&
      this.#bytes + bytes <= MAX_REQUEST_BYTES
    ) {
      this.#open.push(...part);
      this.#bytes += bytes;
    } else {
      this.#open = [...part];
      this.#bytes = bytes;
      this.requests.push(this.#open);
    }
  }
}
