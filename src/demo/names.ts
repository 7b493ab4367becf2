import { randomUUID } from "node:crypto";
import { processEnvironment } from "../config/environment.ts";

/** What one run of the demo calls its things: no two runs share any. */
export interface DemoNames {
  readonly hot: string;
  readonly wide: string;
  readonly collection: string;
  readonly relayGroup: string;
  readonly sinkGroup: string;
}

export const HOT_PARTITIONS = 3;
export const WIDE_PARTITIONS = 24;
/** The sink's own default. */
export const DATABASE = "spillway";

export function demoNames(): DemoNames {
  const run = randomUUID().slice(0, 8);
  return {
    hot: `hot-${run}`,
    wide: `wide-${run}`,
    collection: `demo-${run}`,
    relayGroup: `demo-relay-${run}`,
    sinkGroup: `demo-sink-${run}`,
  };
}

export interface Addresses {
  readonly brokers: readonly string[];
  readonly mongoUrl: string;
}

export interface SpillwayCommand {
  readonly name: string;
  readonly args: readonly string[];
}

/** The two commands that the demo is about. The database's URL, which may hold a password, goes by environment. */
export function spillwayCommands(names: DemoNames, { brokers }: Addresses): readonly SpillwayCommand[] {
  const cluster = ["--brokers", brokers.join(",")];
  const { hot, wide, collection, relayGroup, sinkGroup } = names;
  const relay = ["--source", hot, "--target", wide, "--partitions", String(WIDE_PARTITIONS), "--group", relayGroup];
  const sink = ["--topic", wide, "--collection", collection, "--database", DATABASE, "--group", sinkGroup];
  return [
    { name: "relay", args: ["relay", ...cluster, ...relay] },
    { name: "sink", args: ["sink", ...cluster, ...sink] },
  ];
}

export function commandEnvironment({ mongoUrl }: Addresses): NodeJS.ProcessEnv {
  return { ...processEnvironment(), SPILLWAY_MONGO_URL: mongoUrl };
}
