import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type StreamsProgram, streamsCommand, streamsProgram } from "../bench/peers/kafka-streams.ts";
import type { Reaper } from "../services/reaper.ts";
import { Child } from "../src/demo/child.ts";
import type { RelayKind } from "./catalog.ts";
import { type Names, relayArguments } from "./names.ts";
import { SPILLWAY } from "./worker.ts";

/** At least once, as Spillway's relay here; records go out at once. */
const STREAMS_SETTINGS = {
  "num.stream.threads": "1",
  "processing.guarantee": "at_least_once",
  "producer.acks": "all",
  "producer.linger.ms": "5",
  "consumer.auto.offset.reset": "earliest",
};

/** Starts relays as processes of their own. Kafka Streams is built the first time it is needed. */
export class Relays {
  readonly #reaper: Reaper;
  readonly #log: (line: string) => void;
  #streams: Promise<StreamsProgram> | undefined;

  constructor(reaper: Reaper, log: (line: string) => void) {
    this.#reaper = reaper;
    this.#log = log;
  }

  async start(
    kind: RelayKind,
    names: Names,
    { brokers, env, signal }: { brokers: readonly string[]; env: NodeJS.ProcessEnv; signal: AbortSignal },
  ): Promise<Child | undefined> {
    if (kind === "none") return undefined;
    const guard = this.#reaper;
    if (kind === "spillway") {
      const command = [process.execPath, SPILLWAY, ...relayArguments(names, brokers)] as const;
      return new Child({ name: "relay", command: [...command], env, guard });
    }
    this.#streams ??= streamsProgram(guard, signal, this.#log);
    const { classes } = await this.#streams;
    const directory = join(guard.directory, names.relayGroup);
    await mkdir(directory);
    const job = { brokers, source: names.hot, target: names.live.topic, group: names.relayGroup, directory };
    const { command, args } = await streamsCommand(classes, STREAMS_SETTINGS, job);
    return new Child({ name: "Kafka Streams relay", command: [command, ...args], env, guard });
  }
}
