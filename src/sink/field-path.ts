/** Names from the outermost object inwards. */
export type FieldPath = readonly string[];

/** Reads `a.b.c`. A name with a dot in it can't be said. */
export function parseFieldPath(text: string): FieldPath {
  return text.split(".");
}

/** Undefined where there is no such field. Only own fields count. */
export function fieldAt(value: unknown, path: FieldPath): unknown {
  let at = value;
  for (const name of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as Record<string, unknown>)[name];
  }
  return at;
}
