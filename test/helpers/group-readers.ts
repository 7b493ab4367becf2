import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { Kafka, logLevel } from "kafkajs";
import type { Java } from "../../services/kafka/java.ts";
import type { KafkaOptions } from "../../src/kafka/options.ts";
import { until } from "./kafka.ts";
import type { LogRecord } from "./record-lines.ts";

/** Whatever is there to be read has come by then. */
const IDLE_MS = 1_500;
const JAVA_MS = 120_000;

export interface Reading {
  readonly topic: string;
  readonly group: string;
  readonly records?: number;
  readonly protocol?: "classic" | "consumer";
}

/** Reads on as a member of a group, by Kafka's own consumer: so many records, or all there are, and commits just these. */
export async function javaRead(java: Java, kafka: KafkaOptions, reading: Reading): Promise<readonly LogRecord[]> {
  const { topic, group, records = "all", protocol = "classic" } = reading;
  const args = [kafka.brokers.join(), topic, group, protocol, String(records)];
  const { code, stdout, stderr } = await java.runJavaSource("test/java/GroupReader.java", args, { timeoutMs: JAVA_MS });
  assert.equal(code, 0, stderr);
  const lines = stdout.split("\n").filter((line) => line !== "");
  return lines.map((line) => {
    const [partition, offset, key = "", value = ""] = line.split("\t");
    return { partition: Number(partition), offset: Number(offset), key, value };
  });
}

const SHARE_CONSUMER = "org.apache.kafka.tools.consumer.ConsoleShareConsumer";

interface Membership {
  readonly topic: string;
  readonly group: string;
  readonly protocol: "classic" | "consumer" | "share";
}

/** A member of a group by Kafka's own consumers, until it is disposed of. */
export class JavaMember implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #running: Promise<unknown>;

  constructor(java: Java, kafka: KafkaOptions, { topic, group, protocol }: Membership) {
    const limits = { timeoutMs: JAVA_MS, signal: this.#stop.signal };
    const server = kafka.brokers.join();
    const running =
      protocol === "share"
        ? java.runTool(SHARE_CONSUMER, ["--bootstrap-server", server, "--topic", topic, "--group", group], limits)
        : java.runJavaSource("test/java/GroupReader.java", [server, topic, group, protocol, "stay"], limits);
    this.#running = running.catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}

/** A member of a group by KafkaJS, which commits what it has read, until it is disposed of. */
export class KafkaJsMember implements AsyncDisposable {
  readonly read: LogRecord[] = [];
  readonly #consumer;
  readonly #running: Promise<void>;

  constructor({ brokers }: KafkaOptions, { topic, group }: Reading) {
    const client = new Kafka({ clientId: "kafkajs-member", brokers: [...brokers], logLevel: logLevel.NOTHING });
    this.#consumer = client.consumer({ groupId: group, sessionTimeout: 6_000, heartbeatInterval: 500 });
    this.#running = this.#run(topic);
    this.#running.catch(() => {});
  }

  /** Resolves once all has come, and nothing more for a while. */
  async idle(): Promise<readonly LogRecord[]> {
    await this.#running;
    for (let before = -1; before < this.read.length; ) {
      before = this.read.length;
      await sleep(IDLE_MS);
    }
    return this.read;
  }

  async progress(records: number): Promise<void> {
    await until(`${records} records by KafkaJS`, () => this.read.length >= records);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running.catch(() => {});
    await this.#consumer.disconnect();
  }

  async #run(topic: string): Promise<void> {
    await this.#consumer.connect();
    // Where nothing is committed it begins at the end, as most services do: what is to be read must have been committed.
    await this.#consumer.subscribe({ topic, fromBeginning: false });
    const { promise: joined, resolve } = Promise.withResolvers<void>();
    this.#consumer.on(this.#consumer.events.GROUP_JOIN, () => resolve());
    await this.#consumer.run({
      eachMessage: async ({ partition, message: { offset, key, value } }) => {
        this.read.push({ partition, offset: Number(offset), key: String(key), value: String(value) });
      },
    });
    await joined;
  }
}
