import type { Decoded } from "./decoded.ts";
import { decodeJson } from "./json.ts";
import { decodeBytes, decodeString } from "./text.ts";

/** Bytes → values. */
export interface Decoder {
  /**
   * Gets what decoding these values takes and isn't known yet, such as schemas. `decode` needs no more after that, in the
   * same turn of the event loop: what is kept is bounded, so later it may be gone. Yields whether its source was asked, and
   * so is there.
   * @throws SpillwayError retryable while its source is away: an outage, and nobody's fault; any other where it lets
   *   nobody in
   */
  prepare?(values: readonly Buffer[], signal: AbortSignal): Promise<boolean>;

  /** False of a value for which `prepare` would have to ask. Never throws. */
  knows?(value: Buffer): boolean;

  /** Never throws. */
  decode(value: Buffer): Decoded;
}

export const jsonDecoder: Decoder = { decode: decodeJson };
export const stringDecoder: Decoder = { decode: decodeString };
export const bytesDecoder: Decoder = { decode: decodeBytes };
