import { isNewer, type Version, type VersionOrder } from "./operations.ts";

/** What is there under the id of a `latest` that the database refused to write. */
export type Standing =
  /** As new, or newer. */
  | "newer"
  /** Older: then it wasn't its version that stood against writing, or another writer was there a moment ago. */
  | "older"
  /** Of another origin, or of none: nothing tells which is newer. */
  | "unlike"
  | "none";

/** A document that is there, and the version that was read from it, whatever that is. */
export interface FoundDocument {
  readonly version: { readonly source?: unknown; readonly order?: unknown } | undefined;
}

/** Judges what is there by the version that was to be written. */
export function standingOf(found: FoundDocument | undefined, version: Version): Standing {
  if (found === undefined) return "none";
  const { source, order } = found.version ?? {};
  if (typeof source !== "string" || !isOrder(order)) return "unlike";
  const newer = isNewer(version, { source, order });
  if (newer === undefined) return "unlike";
  return newer ? "older" : "newer";
}

/** Why a `latest` that meets an unlike version is a data error. */
export const UNLIKE_VERSION = {
  code: "unlike-version",
  message: "the document that is there is of another origin, or none of this model: offsets can't tell which is newer",
} as const;

function isOrder(order: unknown): order is VersionOrder {
  return typeof order === "bigint" || typeof order === "number" || typeof order === "string";
}
