import type { Insert, Latest } from "../operations.ts";
import type { Item } from "./dynamo-items.ts";

/** An operation that is ready to be sent. */
export interface Put {
  /** Its place in the batch. */
  readonly index: number;
  readonly operation: Insert | Latest;
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
 * Cuts a batch into requests.
 *
 * No request holds an id twice, which DynamoDB would refuse. Of two operations of one id the later stands in a later wave;
 * of an ordered batch each request of inserts is a wave of its own. Those `latest` that follow each other and differ in
 * their ids, which are their keys, share a wave even so.
 */
export function planWaves(puts: readonly Put[], ordered: boolean): readonly Wave[] {
  const waves: OpenWave[] = [];
  const turns = new Map<string, number>();
  for (const put of puts) {
    const { id } = put.operation;
    const turn = ordered ? Math.max(0, waves.length - 1) : (turns.get(id) ?? 0);
    turns.set(id, turn + 1);
    const wave = waves[turn];
    if (wave === undefined || (ordered && !wave.takes(put))) waves.push(new OpenWave(put));
    else wave.add(put);
  }
  return waves.map(({ requests }) => requests);
}

class OpenWave {
  readonly requests: Wave = [];
  readonly #ids = new Set<string>();
  readonly #kind: Put["operation"]["kind"];
  /** The request of inserts that isn't full yet. */
  #open: Put[] | undefined;
  #bytes = 0;

  constructor(first: Put) {
    this.#kind = first.operation.kind;
    this.add(first);
  }

  /** Of an ordered batch: whether it may join. */
  takes(put: Put): boolean {
    const { kind, id } = put.operation;
    if (kind !== this.#kind || this.#ids.has(id)) return false;
    return kind === "latest" || this.#fits(put);
  }

  add(put: Put): void {
    this.#ids.add(put.operation.id);
    if (put.operation.kind === "latest") this.requests.push([put]);
    else if (this.#open !== undefined && this.#fits(put)) {
      this.#open.push(put);
      this.#bytes += put.bytes;
    } else {
      this.#open = [put];
      this.#bytes = put.bytes;
      this.requests.push(this.#open);
    }
  }

  #fits({ bytes }: Put): boolean {
    return this.#open !== undefined && this.#open.length < MAX_ITEMS && this.#bytes + bytes <= MAX_REQUEST_BYTES;
  }
}
