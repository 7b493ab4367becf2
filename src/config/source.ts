/** Where a value comes from, strongest first. */
export type Source =
  | { readonly kind: "flag"; readonly flag: string }
  | { readonly kind: "environment"; readonly variable: string }
  | { readonly kind: "file"; readonly file: string; readonly line: number }
  | { readonly kind: "default" }
  | { readonly kind: "unset" };

/** A value as it was found, before it is checked. */
export interface Found {
  readonly value: unknown;
  readonly source: Source;
}

export function describeSource(source: Source): string {
  switch (source.kind) {
    case "flag":
      return `flag ${source.flag}`;
    case "environment":
      return `environment variable ${source.variable}`;
    case "file":
      return `${source.file}:${source.line}`;
    case "default":
      return "default";
    case "unset":
      return "not set";
  }
}
