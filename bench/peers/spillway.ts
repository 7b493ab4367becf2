import { join } from "node:path";
import type { PeerName } from "../result.ts";
import type { Command, Job, Peer } from "./peer.ts";

const CLI = join(import.meta.dirname, "../../src/cli/main.ts");

/** The command as anybody would run it, with its defaults. */
export const spillway: Peer = relay("spillway", "defaults", []);

/** What the header with each record's origin costs. */
export const spillwayWithoutProvenance: Peer = relay("spillway-no-provenance", "defaults, but for provenance", [
  "--no-provenance",
]);

function relay(name: PeerName, options: string, flags: readonly string[]): Peer {
  const command = ({ brokers, source, target, targetPartitions, group, nodeFlags }: Job): Command => ({
    command: process.execPath,
    args: [
      ...[...nodeFlags, CLI, "relay", "--brokers", brokers.join(), "--source", source, "--target", target],
      ...["--partitions", String(targetPartitions), "--group", group, ...flags],
    ],
  });
  const variant = { name: "defaults", settings: () => ({ options }), command };
  return { name, guarantee: "at-least-once", warmup: "native", variants: [variant] };
}
