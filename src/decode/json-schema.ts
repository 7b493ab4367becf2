import { Undecodable } from "./decoded.ts";
import { decodeJson } from "./json.ts";

/** What a parsed JSON schema can say of a value. */
export interface JsonSchemaCheck {
  isValid(
    value: unknown,
    options: { readonly errorHook: (path: readonly string[], message: unknown) => void },
  ): boolean;
}

const MOST_FAULTS = 3;

/** Reads JSON as exactly as without a schema, and checks it. It throws `Undecodable`. */
export function jsonSchemaReader(schema: JsonSchemaCheck): (payload: Buffer) => unknown {
  return (payload) => {
    const decoded = decodeJson(payload);
    if (decoded.kind === "poison") throw new Undecodable(decoded.reason, decoded.message);
    const faults: string[] = [];
    const errorHook = ([path = ""]: readonly string[], message: unknown): void => {
      if (faults.length < MOST_FAULTS) faults.push(`${path === "" ? "the value" : path} ${message}`);
    };
    if (schema.isValid(withNumbers(decoded.value), { errorHook })) return decoded.value;
    throw new Undecodable("schema-mismatch", faults.join("; "));
  };
}

/** What a schema is checked against: it knows no bigints. The value itself where it holds none. */
function withNumbers(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const items = value.map(withNumbers);
    return items.every((item, i) => item === value[i]) ? value : items;
  }
  const entries = Object.entries(value);
  const changed = entries.map(([name, of]) => [name, withNumbers(of)] as const);
  return changed.every(([, of], i) => of === entries[i]?.[1]) ? value : Object.fromEntries(changed);
}
