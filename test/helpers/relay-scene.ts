import type { TopicMetadata } from "../../src/kafka/cluster.ts";
import type { KafkaOptions } from "../../src/kafka/options.ts";
import { CommitWatch } from "./commit-watch.ts";
import { Flow } from "./flow.ts";
import { HoldUpWatch } from "./hold-up-watch.ts";
import { makeTopic, until } from "./kafka.ts";
import { QUICK_SESSION, SpillwayProcess } from "./process.ts";
import { uniqueName } from "./services.ts";

const RECORDS_PER_SECOND = 400;
/** The brokers have enough to do. */
const COMMIT_LOOKS_MS = 100;
const CATCH_UP_MS = 90_000;

interface SceneOptions {
  readonly name: string;
  readonly sourcePartitions: number;
  readonly targetPartitions: number;
  /** -1 for the brokers' default. */
  readonly replicationFactor?: number;
  /** What producer, watches and judges go by. */
  readonly kafka: KafkaOptions;
  /** What the relays go by. */
  readonly relayBrokers: readonly string[];
  /** Of every relay. */
  readonly relayArgs: readonly string[];
}

/** A flow into a hot topic, relays as processes of their own to be killed, and watches of what they do to the wide one. */
export class RelayScene implements AsyncDisposable {
  readonly source: string;
  readonly target: string;
  readonly group: string;
  readonly flow: Flow;
  readonly commits: CommitWatch;
  readonly holdUps: HoldUpWatch;
  readonly #options: SceneOptions;
  readonly #stack = new AsyncDisposableStack();

  private constructor(options: SceneOptions, source: string, wide: TopicMetadata) {
    const { kafka, sourcePartitions: partitions } = options;
    this.#options = options;
    this.source = source;
    this.target = wide.topic;
    this.group = uniqueName(options.name);
    this.commits = this.#stack.use(
      new CommitWatch({ kafka, group: this.group, source, partitions, target: this.target, pauseMs: COMMIT_LOOKS_MS }),
    );
    this.holdUps = this.#stack.use(new HoldUpWatch(kafka, wide));
    this.flow = this.#stack.use(new Flow(kafka, source, RECORDS_PER_SECOND));
  }

  static async open(options: SceneOptions): Promise<RelayScene> {
    const { name, kafka, sourcePartitions, targetPartitions, replicationFactor = -1 } = options;
    const [source, target] = [uniqueName(`${name}-hot`), uniqueName(`${name}-wide`)];
    await makeTopic(kafka, { topic: source, partitions: sourcePartitions, replicationFactor });
    const wide = await makeTopic(kafka, { topic: target, partitions: targetPartitions, replicationFactor });
    return new RelayScene(options, source, wide);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }

  /** One more relay. It ends with the scene, if not before. */
  start(...args: readonly string[]): SpillwayProcess {
    const { relayBrokers, relayArgs, targetPartitions } = this.#options;
    const names = ["--source", this.source, "--target", this.target, "--group", this.group];
    const shape = ["--brokers", relayBrokers.join(), "--partitions", String(targetPartitions)];
    return this.#stack.use(new SpillwayProcess(["relay", ...names, ...shape, ...QUICK_SESSION, ...relayArgs, ...args]));
  }

  /** Waits until so many more records are committed. */
  async progress(records: number): Promise<void> {
    const wanted = this.commits.committedRecords + records;
    await until(`${Math.round(records)} more records committed`, () => this.#committed(wanted), CATCH_UP_MS);
  }

  /** Waits until so many more records are committed in every partition of the source. */
  async progressEverywhere(records: number): Promise<void> {
    const before = new Map(this.commits.committed);
    const isDone = () =>
      before.entries().every(([p, offset]) => (this.commits.committed.get(p) ?? 0) >= offset + records);
    await until(`${records} more records committed in every partition`, isDone, CATCH_UP_MS);
  }

  /** Ends the flow, and waits until all of it is committed. */
  async finish(): Promise<void> {
    await this.flow.stop();
    await until(`all ${this.flow.sent} records committed`, () => this.#committed(this.flow.sent), CATCH_UP_MS);
  }

  #committed(records: number): boolean {
    this.flow.check();
    return this.commits.committedRecords >= records;
  }
}

/** As a relay said when it joined its group last. */
export function joinedOf({ log }: SpillwayProcess): { readonly generation: number; readonly partitions: number } {
  const said = [...log.matchAll(/"generation":(\d+),[^\n]*"partitions":(\d+),"msg":"joined the group"/g)].at(-1);
  return { generation: Number(said?.[1] ?? -1), partitions: Number(said?.[2] ?? -1) };
}
