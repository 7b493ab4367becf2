import { isUtf8 } from "node:buffer";
import { type Decoded, poison } from "./decoded.ts";

/** The value's text; bytes that aren't UTF-8 are poison. */
export function decodeString(bytes: Buffer): Decoded {
  if (!isUtf8(bytes)) return poison("invalid-utf8", "the value isn't UTF-8");
  return { kind: "value", value: bytes.toString("utf8") };
}

/** The value's bytes as they are. */
export function decodeBytes(bytes: Buffer): Decoded {
  return { kind: "value", value: bytes };
}
