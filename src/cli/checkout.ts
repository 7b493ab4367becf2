import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { SpillwayError } from "../errors.ts";

/** Where package.json is: two levels up, from src/cli and from dist/cli. */
export const PACKAGE_ROOT = resolve(import.meta.dirname, "..", "..");

/**
 * Loads a module that is part of the checkout and not of the package. Its shape is the caller's word: it can't be
 * imported statically, because the package is built without it.
 * @throws SpillwayError PREREQUISITE_MISSING if only the package is here
 */
export async function importFromCheckout<T>(path: string): Promise<T> {
  const file = join(PACKAGE_ROOT, path);
  if (!existsSync(file)) {
    throw new SpillwayError(
      "PREREQUISITE_MISSING",
      `The local services are not part of the package: there is no ${path}`,
      {
        context: {
          hint: "Run this in a checkout of Spillway's repository, or give addresses by SPILLWAY_BROKERS and SPILLWAY_MONGO_URL",
        },
      },
    );
  }
  try {
    return (await import(pathToFileURL(file).href)) as T;
  } catch (error) {
    throw fromCheckout(error);
  }
}

/** The services' own errors, as what they mean to whoever wanted to use the services. */
export function fromCheckout(error: unknown): unknown {
  const isTheirs = error instanceof Error && ["MissingPrerequisite", "ServiceError", "PortTaken"].includes(error.name);
  return isTheirs ? new SpillwayError("PREREQUISITE_MISSING", error.message, { cause: error }) : error;
}
