import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ServiceError } from "../errors.ts";
import { freePort, isListening } from "../ports.ts";
import { javaProgram } from "../prerequisites.ts";
import type { Reaper } from "../reaper.ts";
import { ServiceProcess } from "../service-process.ts";
import { createJava, type JavaClasses, kafkaOptions } from "./java.ts";
import { brokerProperties, type NodeAddress } from "./settings.ts";

export async function nodeAddresses(count: number): Promise<NodeAddress[]> {
  const addresses: NodeAddress[] = [];
  for (let id = 1; id <= count; id++) {
    addresses.push({ id, port: await freePort(), controllerPort: await freePort() });
  }
  return addresses;
}

export interface BrokerOptions {
  readonly node: NodeAddress;
  /** All of the cluster, this one too. */
  readonly nodes: readonly NodeAddress[];
  readonly clusterId: string;
  readonly config: Readonly<Record<string, string>>;
  readonly features: Readonly<Record<string, number>>;
  readonly scram?: readonly string[];
  readonly classes: JavaClasses;
  /** Options of the virtual machine. */
  readonly jvm: readonly string[];
  readonly reaper: Reaper;
}

/** A broker with its settings written and its storage formatted, not started yet. */
export async function createBroker(options: BrokerOptions): Promise<ServiceProcess> {
  const { node, nodes, clusterId, config, features, scram = [], classes, jvm, reaper } = options;
  const directory = mkdtempSync(join(reaper.directory, `kafka-${node.id}-`));
  const settings = join(directory, "server.properties");
  writeFileSync(settings, brokerProperties({ node, nodes, dataDirectory: join(directory, "data"), config }));

  // In one word: an id may begin with a dash, and one in 64 does.
  const format = ["format", `--cluster-id=${clusterId}`, "--config", settings];
  for (const [feature, level] of Object.entries(features)) format.push("--feature", `${feature}=${level}`);
  for (const user of scram) format.push("--add-scram", user);
  const { code, stdout, stderr } = await createJava(classes, reaper).runTool("kafka.tools.StorageTool", format);
  if (code !== 0) throw new ServiceError(`Kafka's storage was not formatted:\n${stdout}${stderr}`);

  return new ServiceProcess(
    {
      name: `Kafka broker ${node.id}`,
      command: javaProgram(),
      args: [...jvm, "-Dspillway.log.level=INFO", ...kafkaOptions(classes), "kafka.Kafka", settings],
      logFile: join(directory, "kafka.log"),
      startTimeoutMs: 90_000,
      stopTimeoutMs: 15_000,
      // Logged once the controllers let the broker serve. Coordinators may load for another second.
      isReady: async (log) => log.includes("Kafka Server started") && (await isListening(node.port)),
    },
    reaper,
  );
}
