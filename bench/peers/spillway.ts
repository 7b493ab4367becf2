import { CLI } from "../built-cli.ts";
import type { Guarantee, PeerName } from "../result.ts";
import type { Command, Job, Peer } from "./peer.ts";

/** The command as anybody would run it, with its defaults. */
export const spillway: Peer = relay("spillway", "exactly-once", "defaults", []);

export const spillwayAtLeastOnce: Peer = relay("spillway", "at-least-once", "defaults, but for the guarantee", []);

/** What the header with each record's origin costs. */
export const spillwayWithoutProvenance: Peer = {
  ...relay("spillway-no-provenance", "at-least-once", "defaults, but for guarantee and provenance", [
    "--no-provenance",
  ]),
  codecs: ["none"],
};

function relay(name: PeerName, guarantee: Guarantee, options: string, flags: readonly string[]): Peer {
  const command = ({ brokers, source, target, targetPartitions, group, nodeFlags }: Job): Command => ({
    command: process.execPath,
    args: [
      ...[...nodeFlags, CLI, "relay", "--brokers", brokers.join(), "--source", source, "--target", target],
      ...["--partitions", String(targetPartitions), "--group", group, "--guarantee", guarantee, ...flags],
    ],
  });
  const variant = { name: "defaults", settings: () => ({ options }), command };
  return { name, guarantee, warmup: "native", variants: [variant] };
}
