import {
  givenAddresses,
  javaOnDemand,
  type KafkaControl,
  MONGO_URL,
  memoised,
  nodeControl,
  notAskedFor,
  notOurs,
  type ProcessControl,
  processControl,
} from "./control.ts";
import { type Dynamodb, startDynamodb } from "./dynamodb.ts";
import { type Database, type DatabaseAccess, FERRETDB_NAME, startFerretdb } from "./ferretdb/ferretdb.ts";
import { kafkaJars } from "./kafka/jars.ts";
import { type KafkaCluster, type KafkaOptions, startKafka } from "./kafka/kafka.ts";
import { retryIfPortTaken } from "./ports.ts";
import type { Preparation } from "./preparation.ts";
import { Reaper } from "./reaper.ts";
import { type Registry, startRegistry } from "./registry/registry.ts";
import type { ToxiproxyClient } from "./toxiproxy/client.ts";
import { startToxiproxy, type Toxiproxy } from "./toxiproxy/toxiproxy.ts";

export interface ServicesOptions {
  readonly kafka?: boolean | KafkaOptions;
  /** What whoever connects needs then stands in `mongoUrl`. */
  readonly mongo?: boolean | DatabaseAccess;
  readonly dynamodb?: boolean;
  readonly toxiproxy?: boolean;
  /** A schema registry. None is taken over from the environment. */
  readonly registry?: boolean;
  /** Starts services although SPILLWAY_BROKERS or SPILLWAY_MONGO_URL name others: for whoever kills them. */
  readonly own?: boolean;
  /** Told what is under way, in plain lines. */
  readonly log?: (line: string) => void;
  /** Ends a start that is under way; services that have started are stopped by stop(). */
  readonly signal?: AbortSignal;
}

/** What was not asked for throws when it is read. */
export interface Services extends AsyncDisposable {
  /** host:port of each broker. */
  readonly brokers: readonly string[];
  readonly mongoUrl: string;
  /** What the database is, for tables of figures. */
  readonly database: string;
  readonly dynamodbUrl: string;
  readonly kafka: KafkaControl;
  readonly databaseControl: ProcessControl;
  readonly toxiproxy: ToxiproxyClient;
  /** Of the schema registry's API, as Confluent's. */
  readonly registryUrl: string;
  readonly registryControl: ProcessControl;
  /** Stops everything, then deletes its data. Only the first call acts, and all wait for it. */
  stop(): Promise<void>;
}

/**
 * Starts real services and waits until they answer. They end with this process, however it ends, and don't keep it
 * from ending.
 */
export async function startServices(options: ServicesOptions): Promise<Services> {
  const reaper = new Reaper();
  const preparation: Preparation = { reaper, log: options.log ?? (() => undefined), signal: options.signal };
  const given = options.own === true ? {} : givenAddresses();
  const kafka = options.kafka === true ? {} : options.kafka;

  let toxiproxy: Toxiproxy | undefined;
  let database: Database | undefined;
  let dynamodb: Dynamodb | undefined;
  let cluster: KafkaCluster | undefined;
  let registry: Registry | undefined;
  const stop = memoised(async () => {
    try {
      // What stands in front of the others goes first.
      await toxiproxy?.process.kill("SIGTERM");
      await registry?.process.kill("SIGTERM");
      await database?.process.kill("SIGTERM");
      await dynamodb?.process.kill("SIGTERM");
      await cluster?.stop();
    } finally {
      await reaper.close();
    }
  });

  try {
    // One by one: they would only take each other's time on a small machine.
    if (options.toxiproxy) toxiproxy = await retryIfPortTaken(() => startToxiproxy(preparation));
    if (options.mongo && !given.mongoUrl) {
      const access = options.mongo === true ? {} : options.mongo;
      database = await retryIfPortTaken(() => startFerretdb(preparation, access));
    }
    if (options.dynamodb) dynamodb = await retryIfPortTaken(() => startDynamodb(preparation));
    if (kafka && !given.brokers) cluster = await retryIfPortTaken(() => startKafka(kafka, preparation));
    if (options.registry) registry = await retryIfPortTaken(() => startRegistry(preparation));
  } catch (error) {
    await stop();
    throw error;
  }

  const java = cluster?.java ?? javaOnDemand(preparation);
  return {
    get brokers() {
      return (kafka ? (cluster?.brokers ?? given.brokers) : undefined) ?? notAskedFor("Kafka");
    },
    get mongoUrl() {
      return (options.mongo ? (database?.url ?? given.mongoUrl) : undefined) ?? notAskedFor("a database");
    },
    get database() {
      if (!options.mongo) return notAskedFor("a database");
      return database ? FERRETDB_NAME : `given by ${MONGO_URL}`;
    },
    get dynamodbUrl() {
      return dynamodb?.url ?? notAskedFor("DynamoDB");
    },
    get kafka() {
      if (!kafka) return notAskedFor("Kafka");
      return { ...java, ...nodeControl(cluster?.nodes), jars: () => kafkaJars(preparation) };
    },
    get databaseControl() {
      if (!options.mongo) return notAskedFor("a database");
      return processControl(database?.process ?? notOurs(MONGO_URL));
    },
    get toxiproxy() {
      return toxiproxy?.client ?? notAskedFor("toxiproxy");
    },
    get registryUrl() {
      return registry?.url ?? notAskedFor("a schema registry");
    },
    get registryControl() {
      return processControl(registry?.process ?? notAskedFor("a schema registry"));
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
