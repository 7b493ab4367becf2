import { ServiceError } from "./errors.ts";
import { kafkaClasses } from "./kafka/classes.ts";
import { createJava, type Java } from "./kafka/java.ts";
import type { Preparation } from "./preparation.ts";
import type { ServiceProcess } from "./service-process.ts";

/** Control of the process of a database or schema registry. Its data stays until all services are stopped. */
export interface ProcessControl {
  /** For measuring what it uses. */
  pid(): number;
  /** Resolves when the process is gone. SIGKILL unless told; what doesn't heed another signal gets SIGKILL later. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** On the same port and data, after a kill. Resolves when it answers. */
  start(): Promise<void>;
  /** The process and its connections stay, nothing is answered: SIGSTOP. */
  freeze(): void;
  thaw(): void;
}

/** The same for each broker, numbered from 0 in the order of `brokers`, and Kafka's Java programs. */
export interface KafkaControl extends Java {
  pid(node: number): number;
  kill(node: number, signal?: NodeJS.Signals): Promise<void>;
  start(node: number): Promise<void>;
  freeze(node: number): void;
  thaw(node: number): void;
  /** Folder of Kafka's jars, for a class path. */
  jars(): Promise<string>;
}

const BROKERS = "SPILLWAY_BROKERS";
export const MONGO_URL = "SPILLWAY_MONGO_URL";

export interface GivenAddresses {
  readonly brokers?: readonly string[];
  readonly mongoUrl?: string;
}

/** Services that run already, by environment. */
export function givenAddresses(): GivenAddresses {
  const { [BROKERS]: given, [MONGO_URL]: mongoUrl } = process.env;
  const brokers = given?.split(",").map((address) => address.trim());
  return { ...(brokers?.[0] ? { brokers } : {}), ...(mongoUrl ? { mongoUrl } : {}) };
}

export function processControl(service: ServiceProcess): ProcessControl {
  return {
    pid: () => service.pid,
    kill: (signal) => service.kill(signal),
    start: () => service.start(),
    freeze: () => service.freeze(),
    thaw: () => service.thaw(),
  };
}

export function nodeControl(nodes: readonly ServiceProcess[] | undefined): Omit<KafkaControl, "jars" | keyof Java> {
  const node = (index: number): ServiceProcess => {
    if (nodes === undefined) return notOurs(BROKERS);
    const found = nodes[index];
    if (found === undefined) throw new ServiceError(`there is no broker ${index}, only 0 to ${nodes.length - 1}`);
    return found;
  };
  return {
    pid: (index) => node(index).pid,
    kill: async (index, signal) => node(index).kill(signal),
    start: async (index) => node(index).start(),
    freeze: (index) => node(index).freeze(),
    thaw: (index) => node(index).thaw(),
  };
}

/** Java programs for brokers that were given: the jars are looked for when the first one runs. */
export function javaOnDemand(preparation: Preparation): Java {
  const java = memoised(async () => createJava(await kafkaClasses(preparation), preparation.reaper));
  return {
    runTool: async (...args) => (await java()).runTool(...args),
    runJavaSource: async (...args) => (await java()).runJavaSource(...args),
  };
}

export function notAskedFor(what: string): never {
  throw new ServiceError(`${what} was not asked for: set the option in startServices`);
}

export function notOurs(variable: string): never {
  throw new ServiceError(`a service given by ${variable} can't be controlled; use the option own`);
}

export function memoised<T>(action: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => {
    result ??= action();
    return result;
  };
}
