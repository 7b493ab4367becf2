import type { BenchCodec, Guarantee, PeerName } from "../result.ts";

/** What a peer is to do: drain one topic into another. */
export interface Job {
  readonly brokers: readonly string[];
  readonly source: string;
  readonly target: string;
  readonly targetPartitions: number;
  readonly codec: BenchCodec;
  /** New for each run, so that it begins at the first record. */
  readonly group: string;
  /** For files of the peer's own; deleted in the end. */
  readonly directory: string;
  /** For Node: how to profile it, if that is wanted. */
  readonly nodeFlags: readonly string[];
}

export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** One way to run a peer. */
export interface Variant {
  readonly name: string;
  /** What was chosen and not left at its default, for the report. */
  settings(job: Pick<Job, "codec">): Readonly<Record<string, string>>;
  command(job: Job): Command | Promise<Command>;
}

/** One relay that is measured, as a process of its own. */
export interface Peer {
  readonly name: PeerName;
  readonly guarantee: Guarantee;
  /** Those it is run with: all unless said, but each costs minutes, and some say nothing new. */
  readonly codecs?: readonly BenchCodec[];
  /** A virtual machine compiles for many seconds before it is at its speed. */
  readonly warmup: "native" | "jvm";
  /** Several where it isn't clear beforehand which is the fastest: all run in the first round, the best goes on. */
  readonly variants: readonly Variant[];
  /** It reads the source again and again, so its records may be more than the source's. */
  readonly loops?: boolean;
}
