import { ByteReader } from "../byte-reader.ts";
import { Undecodable } from "../decoded.ts";

/** No .proto file nests messages deeper. */
const MOST_INDEXES = 64;

/** Which message of its file a payload is: the place among the file's messages, then among that one's own, and so on. */
export interface IndexedPayload {
  readonly indexes: readonly number[];
  readonly message: Buffer;
}

/** Reads the indexes that stand before a message; the first message of a file is a single 0. @throws Undecodable */
export function readMessageIndexes(payload: Buffer): IndexedPayload {
  const reader = new ByteReader(payload);
  const count = reader.zigzag64();
  if (count < 0 || count > MOST_INDEXES) throw new Undecodable("schema-mismatch", `${count} message indexes`);
  const indexes = count === 0 ? [0] : Array.from({ length: Number(count) }, () => Number(reader.zigzag64()));
  return { indexes, message: reader.take(reader.left) };
}

const IGNORED = /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;

/** The names of a .proto file's own messages, in their order. */
export function topMessages(proto: string): string[] {
  const names: string[] = [];
  let depth = 0;
  let before = "";
  for (const [token] of proto.replaceAll(IGNORED, " ").matchAll(/[{}]|[^\s{};]+/g)) {
    if (token === "{") depth++;
    else if (token === "}") depth--;
    else if (depth === 0 && before === "message") names.push(token);
    before = token;
  }
  return names;
}
