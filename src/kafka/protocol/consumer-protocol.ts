/**
 * What the members of a consumer group tell each other through the coordinator. These bytes are not part of Kafka's
 * protocol proper but of its clients' (`ConsumerProtocolSubscription`, `ConsumerProtocolAssignment`); keeping to them
 * lets Kafka's own tools show who reads what. They are not flexible: lengths are plain integers.
 */
interface TopicPartitions {
  readonly topic: string;
  readonly partitions: readonly number[];
}

export interface Subscription {
  readonly topics: readonly string[];
  readonly owned: readonly TopicPartitions[];
  /** The generation in which `owned` was owned, -1 for none. */
  readonly ownedIn: number;
}

const SUBSCRIPTION_VERSION = 2; // 1 added the owned partitions, 2 their generation
const ASSIGNMENT_VERSION = 0;

export function encodeSubscription({ topics, owned, ownedIn }: Subscription): Buffer {
  return Buffer.concat([
    int16(SUBSCRIPTION_VERSION),
    int32(topics.length),
    ...topics.map(text),
    int32(-1), // no user data
    encodeTopicPartitions(owned),
    int32(ownedIn),
  ]);
}

/** @throws RangeError if the bytes end too early */
export function decodeSubscription(bytes: Buffer): Subscription {
  const from = new Cursor(bytes);
  const version = from.int16();
  const topics = from.array(() => from.text());
  from.skipBytes();
  const owned = version >= 1 ? from.array(() => from.topicPartitions()) : [];
  return { topics, owned, ownedIn: version >= 2 ? from.int32() : -1 };
}

export function encodeAssignment(assigned: readonly TopicPartitions[]): Buffer {
  return Buffer.concat([int16(ASSIGNMENT_VERSION), encodeTopicPartitions(assigned), int32(-1)]);
}

/** @throws RangeError if the bytes end too early */
export function decodeAssignment(bytes: Buffer): readonly TopicPartitions[] {
  if (bytes.length === 0) return [];
  const from = new Cursor(bytes);
  from.int16();
  return from.array(() => from.topicPartitions());
}

function encodeTopicPartitions(list: readonly TopicPartitions[]): Buffer {
  return Buffer.concat([
    int32(list.length),
    ...list.flatMap(({ topic, partitions }) => [text(topic), int32(partitions.length), ...partitions.map(int32)]),
  ]);
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function text(value: string): Buffer {
  return Buffer.concat([int16(Buffer.byteLength(value)), Buffer.from(value)]);
}

class Cursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  int16(): number {
    this.#at += 2;
    return this.#bytes.readInt16BE(this.#at - 2);
  }

  int32(): number {
    this.#at += 4;
    return this.#bytes.readInt32BE(this.#at - 4);
  }

  text(): string {
    const length = this.int16();
    this.#at += length;
    return this.#bytes.toString("utf8", this.#at - length, this.#at);
  }

  skipBytes(): void {
    const length = this.int32(); // read first: reading it moves on, too
    this.#at += Math.max(0, length);
  }

  array<T>(item: () => T): T[] {
    const items: T[] = [];
    for (let left = this.int32(); left > 0; left--) items.push(item());
    return items;
  }

  topicPartitions(): TopicPartitions {
    return { topic: this.text(), partitions: this.array(() => this.int32()) };
  }
}
