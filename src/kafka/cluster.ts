import type net from "node:net";
import Cluster, { type Broker, type Connection, type InnerLogger } from "kafkajs/src/cluster/index.js";
import type { Logger } from "pino";
import { messageOf, SpillwayError } from "../errors.ts";
import { retry } from "../runtime/backoff.ts";
import { withDeadline } from "../runtime/deadline.ts";
import { connectionFailure, isFinal, withSuspicion } from "./connection-failure.ts";
import { ERROR, errorName, isAuthorizationError } from "./error-codes.ts";
import { oauthBearerLogin } from "./login/oauth-bearer.ts";
import type { KafkaOptions } from "./options.ts";
import { type AclOperation, grantFor } from "./permissions.ts";
import type { Api } from "./protocol/api.ts";
import { ProtocolReader, ZERO_UUID } from "./protocol/codec.ts";
import { metadata } from "./protocol/messages.ts";
import type { TopicPartition } from "./topic-partition.ts";
import { exchange, frame, openSocket, takeOver } from "./transport.ts";

const BACKOFF = { baseMs: 100, maxMs: 2_000 };
/** KafkaJS keeps two connections to each broker: fetches, which wait at the broker, have one to themselves. */
const FETCH_CONNECTION = 1;
const OTHER_CONNECTION = 0;

/** A topic as the cluster describes it now. */
export interface TopicMetadata {
  readonly topic: string;
  readonly topicId: string;
  /** By partition number. */
  readonly partitions: readonly PartitionMetadata[];
}

export function partitionsOf({ topic, topicId, partitions }: TopicMetadata): readonly TopicPartition[] {
  return partitions.map(({ partition }) => ({ topic, topicId, partition }));
}

export interface PartitionMetadata {
  readonly partition: number;
  /** Node id, -1 while there is none. */
  readonly leader: number;
  /** Replicas that are in sync. */
  readonly inSync: number;
}

/**
 * Connections to the brokers of one cluster, and requests over them. KafkaJS's Cluster carries transport, TLS and SASL;
 * requests, discovery and errors are ours. Whoever must not be held up by another's requests has a `Brokers` of its own.
 *
 * A failed request is never tried again here: only its owner knows whether it is safe to.
 */
export class Brokers implements AsyncDisposable {
  readonly #options: KafkaOptions;
  readonly #logger: InnerLogger;
  readonly #cluster: Cluster;
  /** Where to begin. */
  #seedAddresses: readonly string[];
  readonly #sockets = new Set<net.Socket>();
  /** Where each broker is, by node id, from the latest metadata. */
  #addresses = new Map<number, { readonly host: string; readonly port: number; readonly rack: string | null }>();
  readonly #brokers = new Map<number, Broker>();
  #seed: Broker | undefined;
  /** Connections being opened: KafkaJS would open a second one for a second request. */
  readonly #opening = new Map<Connection, Promise<void>>();
  #closed = false;

  constructor(options: KafkaOptions, log: Logger) {
    this.#options = options;
    this.#logger = innerLogger(log);
    this.#seedAddresses = shuffled(options.brokers);
    this.#cluster = new Cluster({
      logger: this.#logger,
      socketFactory: (to) => this.#keep(options.socketFactory?.(to) ?? openSocket(to)),
      brokers: () => this.#seedAddresses,
      ...(options.ssl === undefined ? {} : { ssl: options.ssl }),
      ...loginOf(options),
      clientId: options.clientId,
      connectionTimeout: options.connectionTimeoutMs,
      authenticationTimeout: authenticationTimeoutOf(options),
      reauthenticationThreshold: options.reauthenticationThresholdMs ?? 10_000,
      requestTimeout: options.requestTimeoutMs,
      enforceRequestTimeout: true,
      metadataMaxAge: 0,
      allowAutoTopicCreation: false,
      maxInFlightRequests: null,
      retry: { retries: 0 },
    });
  }

  /** Of the brokers in the latest metadata. */
  get nodeIds(): readonly number[] {
    return [...this.#addresses.keys()];
  }

  /**
   * Sends a request to a broker by its node id, or to `any`, and returns the response. `waitMs` is how long the broker
   * itself may hold the request, on top of the request time-out.
   *
   * @throws SpillwayError BROKER_UNREACHABLE (retryable; the request may have been carried out all the same),
   *   AUTHENTICATION_FAILED, PROTOCOL
   */
  async request<Q, R>(api: Api<Q, R>, request: Q, to: number | "any", waitMs = 0): Promise<R> {
    const broker = to === "any" ? await this.#anyBroker() : await this.#broker(to);
    const address = addressOf(broker);
    try {
      const connection = await this.#connect(broker, api.name === "Fetch" ? FETCH_CONNECTION : OTHER_CONNECTION);
      assertSpeaks(broker, api, address);
      const payload = await exchange(connection, api, frame(api, request, this.#options.clientId), {
        timeoutMs: this.#options.requestTimeoutMs + waitMs,
      });
      return decode(api, payload, address);
    } catch (error) {
      if (error instanceof SpillwayError && error.code === "PROTOCOL") throw error;
      // The connections' state is unknown now: answers may still come, or never. New ones know where they stand.
      this.#discard(broker, error);
      throw connectionFailure(error, api.name, address);
    }
  }

  /**
   * Asks for the metadata of topics and learns from it where the brokers are. A topic that doesn't exist is left out; so
   * may be a new one, by a broker that has not heard of it yet.
   * @throws SpillwayError as `request` does, NOT_AUTHORIZED
   */
  async topics(names: readonly string[], from: number | "any" = "any"): Promise<readonly TopicMetadata[]> {
    const request = {
      topics: names.map((name) => ({ topicId: ZERO_UUID, name })),
      allowAutoTopicCreation: false,
      includeTopicAuthorizedOperations: false,
    };
    const response = await this.request(metadata, request, from);
    this.#addresses = new Map(response.brokers.map(({ nodeId, host, port, rack }) => [nodeId, { host, port, rack }]));
    const topics: TopicMetadata[] = [];
    for (const { errorCode, name, topicId, partitions } of response.topics) {
      if (isAuthorizationError(errorCode)) {
        throw kafkaError("Describing the topic", errorCode, { topic: name ?? "?" }, "DESCRIBE");
      }
      if (errorCode === ERROR.INVALID_TOPIC_EXCEPTION) {
        throw new SpillwayError("TOPIC_MISSING", `"${name}" is not a name Kafka allows for a topic`);
      }
      if (errorCode !== ERROR.NONE && errorCode !== ERROR.LEADER_NOT_AVAILABLE) continue;
      const byNumber = partitions.toSorted((a, b) => a.partitionIndex - b.partitionIndex);
      topics.push({
        topic: name ?? "",
        topicId,
        partitions: byNumber.map(({ partitionIndex: partition, leaderId: leader, isrNodes }) => ({
          partition,
          leader,
          inSync: isrNodes.length,
        })),
      });
    }
    return topics;
  }

  /**
   * Tries to reach the cluster until it answers.
   * @throws SpillwayError BROKER_UNREACHABLE after `connectDeadlineMs`, AUTHENTICATION_FAILED at once
   */
  async connect(signal: AbortSignal, log: Logger): Promise<void> {
    await retry(() => this.topics([]), {
      signal,
      backoff: BACKOFF,
      deadlineMs: this.#options.connectDeadlineMs,
      onRetry: (error, attempt, delayMs) =>
        log.warn(
          { attempt, delayMs: Math.round(delayMs), error: messageOf(error) },
          "Kafka does not answer yet, trying again",
        ),
    }).catch((error: unknown) => {
      throw withSuspicion(error);
    });
  }

  /** Cuts all connections. Requests under way fail. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    const closing = new Error("connections are closed");
    for (const broker of [...this.#brokers.values()]) this.#discard(broker, closing);
    if (this.#seed !== undefined) this.#discard(this.#seed, closing);
    for (const socket of this.#sockets) socket.destroy(closing);
    await Promise.allSettled(this.#opening.values());
  }

  /** A broker that is connected, or else the first that can be: of the known ones, then of those in the options. */
  async #anyBroker(): Promise<Broker> {
    const connected = [...this.#brokers.values(), this.#seed].find((broker) => broker?.isConnected() === true);
    if (connected !== undefined) return connected;
    let failure: unknown;
    for await (const broker of this.#candidates()) {
      try {
        await this.#connect(broker, OTHER_CONNECTION);
        return broker;
      } catch (error) {
        this.#discard(broker, error);
        failure = connectionFailure(error, "Connecting", addressOf(broker));
        if (isFinal(failure)) break;
      }
    }
    throw failure;
  }

  async *#candidates(): AsyncGenerator<Broker, void, undefined> {
    for (const nodeId of shuffled([...this.#addresses.keys()])) yield await this.#broker(nodeId);
    await this.#findAddresses();
    for (const _address of this.#seedAddresses) yield await this.#nextSeed();
  }

  /** @throws SpillwayError BROKER_UNREACHABLE, retryable */
  async #findAddresses(): Promise<void> {
    const { findBrokers, connectionTimeoutMs } = this.#options;
    if (findBrokers === undefined) return;
    try {
      this.#seedAddresses = await withDeadline(findBrokers(), connectionTimeoutMs, "Finding the brokers");
      if (this.#seedAddresses.length === 0) throw new Error("the function kafka.brokers named none");
    } catch (cause) {
      throw new SpillwayError("BROKER_UNREACHABLE", `No broker is known: ${messageOf(cause)}`, {
        cause,
        retryable: true,
      });
    }
  }

  /** KafkaJS's builder goes through the brokers in the options, one each time. */
  async #nextSeed(): Promise<Broker> {
    this.#assertOpen();
    const pool = await this.#cluster.brokerPool.connectionPoolBuilder.build();
    this.#seed ??= this.#createBroker(pool);
    return this.#seed;
  }

  async #broker(nodeId: number): Promise<Broker> {
    this.#assertOpen();
    const address = this.#addresses.get(nodeId);
    if (address === undefined) {
      throw new SpillwayError("BROKER_UNREACHABLE", `Broker ${nodeId} is not part of the cluster at the moment`, {
        retryable: true,
      });
    }
    const known = this.#brokers.get(nodeId);
    if (known?.connectionPool.host === address.host && known.connectionPool.port === address.port) return known;
    if (known !== undefined) this.#discard(known, new Error("the broker has moved"));
    const broker = this.#createBroker(await this.#cluster.brokerPool.connectionPoolBuilder.build(address), nodeId);
    // Another request may have made it in the meantime.
    const made = this.#brokers.get(nodeId);
    if (made !== undefined) return made;
    this.#brokers.set(nodeId, broker);
    return broker;
  }

  #assertOpen(): void {
    if (this.#closed) throw new SpillwayError("BROKER_UNREACHABLE", "The connections to Kafka are closed");
  }

  #createBroker(connectionPool: Broker["connectionPool"], nodeId?: number): Broker {
    for (const connection of connectionPool.pool) takeOver(connection);
    return this.#cluster.brokerPool.createBroker({
      connectionPool,
      logger: this.#logger,
      ...(nodeId === undefined ? {} : { nodeId }),
    });
  }

  async #connect(broker: Broker, index: number): Promise<Connection> {
    const connection = broker.connectionPool.pool[index] as Connection;
    if (connection.isConnected() && broker.versions !== null) return connection;
    let opening = this.#opening.get(connection);
    if (opening === undefined) {
      opening = this.#open(broker, connection, index).finally(() => this.#opening.delete(connection));
      this.#opening.set(connection, opening);
    }
    await opening;
    return connection;
  }

  async #open(broker: Broker, connection: Connection, index: number): Promise<void> {
    // The first connection asks for the broker's versions, which SASL on any of them needs.
    if (index !== OTHER_CONNECTION && broker.versions === null) await this.#connect(broker, OTHER_CONNECTION);
    if (index === OTHER_CONNECTION) await broker.connect();
    if (!connection.isConnected()) await connection.connect();
  }

  /** Fails a broker's requests, cuts its connections and forgets it. KafkaJS alone would wait for the answers. */
  #discard(broker: Broker, cause: unknown): void {
    if (this.#seed === broker) this.#seed = undefined;
    for (const [nodeId, known] of this.#brokers) if (known === broker) this.#brokers.delete(nodeId);
    const error = cause instanceof Error ? cause : new Error(messageOf(cause));
    for (const connection of broker.connectionPool.pool) {
      connection.rejectRequests(error);
      void connection.disconnect();
      // With the error, which is what a connection that is still being opened ends with.
      connection.socket?.destroy(error);
    }
  }

  #keep(socket: net.Socket): net.Socket {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    return socket;
  }
}

function decode<R>(api: Pick<Api<never, R>, "name" | "version" | "response">, payload: Buffer, broker: string): R {
  try {
    const from = new ProtocolReader(payload);
    // The header of this one has no tagged fields: it must be readable for those who speak older versions only.
    const hasTags = api.name !== "ApiVersions";
    for (let tags = hasTags ? from.unsignedVarint() : 0; tags > 0; tags--) {
      from.unsignedVarint();
      from.skip(from.unsignedVarint());
    }
    return api.response.read(from);
  } catch (cause) {
    throw new SpillwayError("PROTOCOL", `The answer to ${api.name} version ${api.version} can't be read`, {
      cause,
      context: { broker },
    });
  }
}

function assertSpeaks(
  broker: Broker,
  api: { readonly name: string; readonly key: number; readonly version: number },
  address: string,
): void {
  const range = broker.versions?.[api.key];
  if (range !== undefined && api.version >= range.minVersion && api.version <= range.maxVersion) return;
  throw new SpillwayError("PROTOCOL", `Broker ${address} does not speak ${api.name} version ${api.version}`, {
    context: { broker: address, hint: "Spillway needs Apache Kafka 3.2 or newer" },
  });
}

/** A copy: KafkaJS keeps its own things in it. */
function loginOf(options: KafkaOptions): { readonly sasl?: object } {
  const { sasl } = options;
  if (sasl === undefined) return {};
  if (!("oauthBearerProvider" in sasl)) return { sasl: { ...sasl } };
  const authenticationProvider = oauthBearerLogin(sasl, { deadlineMs: authenticationTimeoutOf(options) });
  return { sasl: { mechanism: sasl.mechanism, authenticationProvider } };
}

function authenticationTimeoutOf({ authenticationTimeoutMs, requestTimeoutMs }: KafkaOptions): number {
  return authenticationTimeoutMs ?? requestTimeoutMs;
}

function addressOf({ connectionPool: { host, port } }: Broker): string {
  return `${host}:${port}`;
}

/** So that many processes don't all begin with the same broker. */
function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

/** KafkaJS logs every failure that it throws, too. Ours reports those it is thrown, so KafkaJS's go to debug. */
function innerLogger(log: Logger): InnerLogger {
  const debug = (message: string, extra?: object) => {
    if (log.isLevelEnabled("trace")) log.trace({ kafkajs: extra }, message);
  };
  const logger: InnerLogger = { namespace: () => logger, debug, info: debug, warn: debug, error: debug };
  return logger;
}

/**
 * An error for a code that a broker answered with. Where that says that the user may not do it, the hint says what to
 * grant: `operation`, where it isn't the usual one for such a resource.
 */
export function kafkaError(
  what: string,
  kafkaCode: number,
  context: SpillwayError["context"] = {},
  operation?: AclOperation,
): SpillwayError {
  if (isAuthorizationError(kafkaCode)) {
    const hint = grantFor(kafkaCode, context, operation);
    return new SpillwayError("NOT_AUTHORIZED", `${what} is not allowed: ${errorName(kafkaCode)}`, {
      context: { hint, ...context, kafkaCode },
    });
  }
  return new SpillwayError("PROTOCOL", `${what} failed: ${errorName(kafkaCode)}`, {
    context: { ...context, kafkaCode },
  });
}
