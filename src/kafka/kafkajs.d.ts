/**
 * The inner modules of KafkaJS 2.2.4 that the raw path is built on. KafkaJS doesn't type them, so what is used of them
 * is declared here, and nothing else of them is used. The version is pinned exactly for that reason.
 */
declare module "kafkajs/src/cluster/index.js" {
  import type { Socket } from "node:net";
  import type { ConnectionOptions } from "node:tls";
  import type { ISocketFactory } from "kafkajs";

  /** Takes the place of a built-in way to log in. */
  export type AuthenticationProvider = (to: {
    readonly host: string;
    readonly port: number;
    /** Sends bytes behind their length, and reads what comes back in the same form. */
    saslAuthenticate<T>(exchange: {
      readonly request: { encode(): Promise<Buffer> };
      readonly response: {
        decode(bytes: Buffer): Promise<Buffer | string>;
        parse(decoded: Buffer | string): Promise<T>;
      };
    }): Promise<T>;
  }) => { authenticate(): Promise<void> };

  export interface InnerLogger {
    namespace(name: string): InnerLogger;
    debug(message: string, extra?: object): void;
    info(message: string, extra?: object): void;
    warn(message: string, extra?: object): void;
    error(message: string, extra?: object): void;
  }

  export interface RequestQueue {
    scheduleCheckPendingRequests(): void;
    maybeThrottle(ms: number | null): void;
    /** Sends a request and settles its entry with the answer, the connection's end, or the time-out. */
    push(request: {
      readonly entry: {
        readonly apiKey: number;
        readonly apiName: string;
        readonly apiVersion: number;
        readonly correlationId: number;
        readonly resolve: (answer: { readonly payload: Buffer }) => void;
        readonly reject: (error: Error) => void;
      };
      readonly expectResponse: true;
      readonly requestTimeout: number;
      readonly sendRequest: () => void;
    }): void;
    fulfillRequest(answer: { readonly size: number; readonly correlationId: number; readonly payload: Buffer }): void;
  }

  export interface Connection {
    readonly host: string;
    readonly port: number;
    readonly socket?: Socket;
    readonly requestQueue: RequestQueue;
    /** Set while logging in. */
    readonly authHandlers: object | null;
    /** How long the broker takes the last login for good, in milliseconds as a decimal text; "0" for always. */
    readonly sessionLifetime: { toString(): string };
    /** How much of that must be left, in milliseconds, so as not to log in anew. */
    reauthenticationThreshold: number;
    processData(chunk: Buffer): void;
    isConnected(): boolean;
    isAuthenticated(): boolean;
    connect(): Promise<unknown>;
    authenticate(): Promise<void>;
    /** Only for KafkaJS's own requests: versions and the steps of a login. */
    send(request: unknown): Promise<unknown>;
    disconnect(): Promise<unknown>;
    nextCorrelationId(): number;
    rejectRequests(error: Error): void;
  }

  export interface ConnectionPool {
    readonly host: string;
    readonly port: number;
    readonly pool: readonly Connection[];
    getConnection(index: number): Promise<Connection>;
  }

  export interface Broker {
    readonly connectionPool: ConnectionPool;
    readonly versions: Readonly<Record<number, { readonly minVersion: number; readonly maxVersion: number }>> | null;
    isConnected(): boolean;
    connect(): Promise<void>;
  }

  export interface BrokerPool {
    readonly connectionPoolBuilder: {
      build(at?: {
        readonly host: string;
        readonly port: number;
        readonly rack: string | null;
      }): Promise<ConnectionPool>;
    };
    createBroker(options: {
      readonly connectionPool: ConnectionPool;
      readonly logger: InnerLogger;
      readonly nodeId?: number;
    }): Broker;
  }

  export default class Cluster {
    readonly brokerPool: BrokerPool;
    constructor(options: {
      readonly logger: InnerLogger;
      readonly socketFactory: ISocketFactory;
      readonly brokers: () => readonly string[];
      readonly ssl?: ConnectionOptions;
      /** A mechanism and what that needs. */
      readonly sasl?: object;
      readonly clientId: string;
      readonly connectionTimeout: number;
      readonly authenticationTimeout: number;
      readonly reauthenticationThreshold: number;
      readonly requestTimeout: number;
      readonly enforceRequestTimeout: boolean;
      readonly metadataMaxAge: number;
      readonly allowAutoTopicCreation: boolean;
      readonly maxInFlightRequests: number | null;
      readonly retry: { readonly retries: number };
    });
  }
}
