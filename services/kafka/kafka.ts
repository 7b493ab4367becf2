import { randomBytes } from "node:crypto";
import type { Preparation } from "../preparation.ts";
import type { ServiceProcess } from "../service-process.ts";
import { createBroker, nodeAddresses } from "./broker.ts";
import { kafkaClasses } from "./classes.ts";
import { createJava, type Java } from "./java.ts";
import type { Listener, ProxiedListener } from "./settings.ts";

export interface KafkaOptions {
  /** One broker unless told. Three have replication factor 3 and two replicas in sync at least. */
  readonly brokers?: 1 | 3;
  /** Broker properties that win over the ones set here. */
  readonly config?: Readonly<Record<string, string>>;
  /** Levels that the cluster is formatted with where they aren't the newest, such as those of `transaction.version`. */
  readonly features?: Readonly<Record<string, number>>;
  /** By broker: a second listener, for clients that are to come through a proxy. */
  readonly proxied?: readonly ProxiedListener[];
  /** Further ones of a single broker. */
  readonly listeners?: readonly Listener[];
  /** Users that the cluster is formatted with, such as SCRAM-SHA-256=[name=me,password=secret]. */
  readonly scram?: readonly string[];
}

export interface KafkaCluster {
  readonly brokers: readonly string[];
  readonly nodes: readonly ServiceProcess[];
  readonly java: Java;
  stop(): Promise<void>;
}

export async function startKafka(options: KafkaOptions, preparation: Preparation): Promise<KafkaCluster> {
  const { reaper, log, signal } = preparation;
  const classes = await kafkaClasses(preparation);

  const { brokers: count = 1, config = {}, features = {}, proxied = [], listeners = [], scram = [] } = options;
  const started = performance.now();
  const addresses = (await nodeAddresses(count)).map((node, i) => ({ ...node, proxied: proxied[i], listeners }));
  const cluster = { nodes: addresses, clusterId: randomBytes(16).toString("base64url"), config, features, scram };
  // Several brokers on one machine get less memory each, and compile less: they are there to be killed and started again.
  const jvm = count === 1 ? ["-Xmx512m"] : ["-Xmx384m", "-XX:TieredStopAtLevel=1"];
  const nodes = await Promise.all(addresses.map((node) => createBroker({ ...cluster, node, classes, jvm, reaper })));
  try {
    await Promise.all(nodes.map((node) => node.start(signal)));
  } catch (error) {
    await Promise.all(nodes.map((node) => node.kill("SIGKILL")));
    throw error;
  }
  log(`Kafka has started: ${count} broker(s) in ${((performance.now() - started) / 1000).toFixed(1)} s.`);
  return {
    brokers: addresses.map(({ port }) => `127.0.0.1:${port}`),
    nodes,
    java: createJava(classes, reaper),
    stop: () => stopInTurn(nodes),
  };
}

/**
 * One after the other, so that each hands its leaders on. The controllers that remain must be a majority, or a
 * broker waits for them in vain: those beyond are killed, as their data goes anyway.
 */
async function stopInTurn(nodes: readonly ServiceProcess[]): Promise<void> {
  const majority = Math.floor(nodes.length / 2) + 1;
  for (const node of nodes) {
    const running = nodes.filter((peer) => peer.running).length;
    await node.kill(running >= majority ? "SIGTERM" : "SIGKILL");
  }
}
