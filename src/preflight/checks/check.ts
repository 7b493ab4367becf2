import type { RelayOptions } from "../../relay/options.ts";
import type { Facts } from "../facts.ts";
import type { Finding } from "../finding.ts";

/** Looks at the facts, and at nothing else. */
export type Check = (facts: Facts, options: RelayOptions) => readonly Finding[];
