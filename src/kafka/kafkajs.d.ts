/**
 * The inner modules of KafkaJS 2.2.4 that the raw path is built on. KafkaJS doesn't type them, so what is used of them
 * is declared here, and nothing else of them is used. The version is pinned exactly for that reason.
 */
declare module "kafkajs/src/cluster/index.js" {
  import type { Socket } from "node:net";
  import type { ConnectionOptions } from "node:tls";
  import type { SASLOptions } from "kafkajs";

  export interface InnerLogger {
    namespace(name: string): InnerLogger;
    debug(message: string, extra?: object): void;
    info(message: string, extra?: object): void;
    warn(message: string, extra?: object): void;
    error(message: string, extra?: object): void;
  }

  export interface RequestQueue {
    scheduleCheckPendingRequests(): void;
  }

  export interface Connection {
    readonly host: string;
    readonly port: number;
    readonly socket?: Socket;
    readonly requestQueue: RequestQueue;
    isConnected(): boolean;
    connect(): Promise<unknown>;
    disconnect(): Promise<unknown>;
    rejectRequests(error: Error): void;
    send<T>(exchange: {
      readonly request: {
        readonly apiKey: number;
        readonly apiVersion: number;
        readonly apiName: string;
        encode(): Promise<{ readonly buf: Buffer; readonly buffer: Buffer }>;
      };
      readonly response: { decode(payload: Buffer): Promise<T>; parse(decoded: T): Promise<T> };
      readonly requestTimeout?: number;
      readonly logResponseError?: boolean;
    }): Promise<T>;
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
      readonly socketFactory: (to: {
        readonly host: string;
        readonly port: number;
        readonly ssl?: ConnectionOptions;
        readonly onConnect: () => void;
      }) => Socket;
      readonly brokers: readonly string[];
      readonly ssl?: ConnectionOptions;
      readonly sasl?: SASLOptions;
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
