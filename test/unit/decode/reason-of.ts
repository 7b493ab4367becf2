import assert from "node:assert/strict";
import { Undecodable } from "../../../src/decode/decoded.ts";

/** Why a reader can't read a payload; fails if it can. */
export function reasonOf(read: (payload: Buffer) => unknown, payload: Buffer): string {
  try {
    read(payload);
  } catch (error) {
    assert.ok(error instanceof Undecodable, String(error));
    return error.reason;
  }
  assert.fail("it was decoded");
}
