import type { Command } from "../../peers/peer.ts";
import type { ModelName, SinkName, TargetName } from "../result.ts";

/** What a sink is to do: write a topic into a collection. */
export interface SinkJob {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly partitions: number;
  /** New for each run, so that it begins at the first record. */
  readonly group: string;
  readonly target: TargetName;
  /** Of the database, by way of the proxy. */
  readonly url: string;
  readonly database: string;
  readonly collection: string;
  readonly model: ModelName;
  /** For files of the sink's own; deleted in the end. */
  readonly directory: string;
  /** For Node: how to profile it, if that is wanted. */
  readonly nodeFlags: readonly string[];
}

/** One sink that is measured, as a process of its own. */
export interface SinkPeer {
  readonly name: SinkName;
  /** A virtual machine compiles for many seconds before it is at its speed. */
  readonly warmup: "native" | "jvm";
  /** What was chosen and not left at its default, for the report. */
  settings(job: Pick<SinkJob, "model" | "partitions" | "target">): Readonly<Record<string, string>>;
  command(job: SinkJob): Command | Promise<Command>;
}
