import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { Java } from "../../services/kafka/java.ts";
import { Brokers, type TopicMetadata } from "../../src/kafka/cluster.ts";
import type { KafkaOptions } from "../../src/kafka/options.ts";
import { RecordProducer } from "../../src/kafka/record-producer.ts";
import { Beside } from "./beside.ts";
import { committedSum, makeTopic, testLog, until } from "./kafka.ts";
import { QUICK_SESSION, SpillwayProcess } from "./process.ts";
import { readBytes } from "./record-bytes.ts";
import { uniqueName } from "./services.ts";
import { buriedIds, documentsOf, IN_ORDER, judgeInserts, judgeLatest, sourceRecords } from "./sink-ledger.ts";

export type SinkModel = "insert" | "latest";
export const BOTH: readonly SinkModel[] = ["insert", "latest"];

const KEYS = 150;
const TURN_MS = 20;
const LOOK_MS = 100;
const CATCH_UP_MS = 120_000;
/** So that a fault meets something: small batches that wait, and few of them side by side. */
const BUSY = ["--writers", "6", "--batch-records", "40", "--in-flight-records", "1500", "--commit-interval-ms", "100"];
/** So that an outage is noticed soon, and its end too. */
const IMPATIENT = ["--write-timeout-ms", "2000", "--server-selection-timeout-ms", "1000", "--retry-max-ms", "500"];

interface SceneOptions {
  readonly name: string;
  readonly partitions: number;
  readonly kafka: KafkaOptions;
  readonly java: Java;
  /** As the sinks reach the database. */
  readonly mongoUrl: string;
  /** As the ledger does. */
  readonly ledgerUrl: string;
  readonly recordsPerSecond: number;
}

/**
 * A topic that is written to without a pause, one record in a hundred of it poison, one in fifteen a tombstone; sinks of both
 * models as processes of their own, each model in a group of its own; and the ledger that judges what they made of it.
 */
export class SinkScene implements AsyncDisposable {
  readonly topic: string;
  readonly database = uniqueName("faults");
  readonly #options: SceneOptions;
  readonly #topicId: string;
  readonly #brokers: Brokers;
  readonly #writing: Beside;
  readonly #stack = new AsyncDisposableStack();
  #sent = 0;

  private constructor(options: SceneOptions, { topic, topicId }: TopicMetadata) {
    this.#options = options;
    this.topic = topic;
    this.#topicId = topicId;
    this.#brokers = this.#stack.use(new Brokers(options.kafka, testLog));
    this.#writing = this.#stack.use(new Beside((signal) => this.#write(signal)));
  }

  static async open(options: SceneOptions): Promise<SinkScene> {
    const { name, kafka, partitions } = options;
    return new SinkScene(options, await makeTopic(kafka, { topic: uniqueName(name), partitions }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }

  get sent(): number {
    return this.#sent;
  }

  /** One more sink. It ends with the scene, if not before. */
  start(model: SinkModel, ...args: readonly string[]): SpillwayProcess {
    const { kafka, mongoUrl } = this.#options;
    const places = ["--brokers", kafka.brokers.join(), "--mongo-url", mongoUrl, "--database", this.database];
    const names = ["--topic", this.topic, "--collection", model, "--group", this.groupOf(model)];
    // An envelope can hold a tombstone too.
    const how = ["--model", model, "--document", model === "insert" ? "envelope" : "value"];
    const all = [...places, ...names, ...how, "--dead-letter-suffix", suffixOf(model), ...QUICK_SESSION, ...BUSY];
    return this.#stack.use(new SpillwayProcess(["sink", ...all, ...IMPATIENT, ...args]));
  }

  groupOf(model: SinkModel): string {
    return `${this.topic}-${model}`;
  }

  /** How many offsets of the topic a model's group has committed. */
  async committed(model: SinkModel): Promise<number> {
    this.#writing.check();
    const { partitions } = this.#options;
    const sum = await committedSum(this.#brokers, this.groupOf(model), { topic: this.topic, partitions });
    return Math.max(0, sum);
  }

  /** Waits until each of the models has committed so many more records. */
  async progress(records: number, models: readonly SinkModel[] = BOTH): Promise<void> {
    await Promise.all(
      models.map(async (model) => {
        const wanted = (await this.committed(model)) + records;
        await until(
          `${model}: ${records} more records`,
          async () => (await this.committed(model)) >= wanted,
          CATCH_UP_MS,
        );
      }),
    );
  }

  /** Ends the writing, and waits until all of it is committed. */
  async finish(models: readonly SinkModel[] = BOTH): Promise<void> {
    await this.#writing.stop();
    await Promise.all(models.map((model) => this.#catchUp(model)));
  }

  /** By the ledger: nothing lost, nothing twice, each key in order, its last state the newest, dead letters the poison. */
  async assertInOrder(models: readonly SinkModel[] = BOTH): Promise<void> {
    const { java, kafka, ledgerUrl } = this.#options;
    const topics = [this.topic, ...models.map((model) => this.topic + suffixOf(model))];
    const read = await readBytes(java, kafka.brokers, topics);
    const source = sourceRecords(this.#topicId, read.get(this.topic) ?? []);
    assert.equal(source.length, this.#sent, "records in the topic");
    assert.ok(source.some(({ value }) => value === undefined) && source.some(({ value }) => value === null));
    for (const model of models) {
      const documents = await documentsOf(ledgerUrl, this.database, model);
      const buried = buriedIds(read.get(this.topic + suffixOf(model)) ?? []);
      const verdict =
        model === "insert"
          ? judgeInserts(source, documents, buried)
          : judgeLatest(this.#topicId, source, documents, buried);
      assert.deepEqual(verdict, IN_ORDER, model);
    }
  }

  /** However much waits after a long run: it may go on for as long as it gets on. */
  async #catchUp(model: SinkModel): Promise<void> {
    for (let committed = 0; committed < this.#sent; ) {
      const wanted = committed + 1;
      await until(`${model}: more than ${committed} committed`, () => this.#reached(model, wanted), CATCH_UP_MS);
      committed = await this.committed(model);
    }
  }

  async #reached(model: SinkModel, records: number): Promise<boolean> {
    const reached = (await this.committed(model)) >= records;
    // The broker has enough to do.
    if (!reached) await sleep(LOOK_MS);
    return reached;
  }

  async #write(signal: AbortSignal): Promise<void> {
    const { kafka, recordsPerSecond } = this.#options;
    const never = new AbortController().signal;
    await using producer = await RecordProducer.open({ kafka, log: testLog, signal: never });
    const sending: Promise<unknown>[] = [];
    while (!signal.aborted) {
      for (let i = 0; i < (recordsPerSecond * TURN_MS) / 1_000; i++) {
        const number = this.#sent++;
        const key = Buffer.from(`key-${(number * 7919) % KEYS}`);
        sending.push(producer.send(this.topic, { key, value: numberedJson(number), timestamp: Date.now() }));
      }
      await sleep(TURN_MS);
    }
    await producer.flush(60_000);
    await Promise.all(sending);
  }
}

function suffixOf(model: SinkModel): string {
  return `.dead-${model}`;
}

function numberedJson(number: number): Buffer | null {
  if (number % 15 === 7) return null;
  const json = JSON.stringify({ number, text: "x".repeat((number * 7919) % 200) });
  return Buffer.from(number % 100 === 50 ? json.slice(0, -1) : json);
}
