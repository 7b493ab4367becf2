import type { Decoded } from "./json.ts";
import { decodeJson } from "./json.ts";

/** Bytes → values. */
export interface Decoder {
  /**
   * Gets what decoding these values takes and isn't known yet, such as schemas: `decode` needs no more after that.
   * @throws SpillwayError retryable while its source is away: an outage, and nobody's fault
   */
  prepare?(values: readonly Buffer[], signal: AbortSignal): Promise<void>;

  /** Never throws. */
  decode(value: Buffer): Decoded;
}

export const jsonDecoder: Decoder = { decode: decodeJson };
