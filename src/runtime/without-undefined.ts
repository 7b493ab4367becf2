/** The options that are given: one that is undefined must not take the place of a default. */
export function withoutUndefined<T extends object>(options: T): { readonly [K in keyof T]?: Exclude<T[K], undefined> } {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as { readonly [K in keyof T]?: Exclude<T[K], undefined> };
}
