import type { Values } from "../config/option-table.ts";
import type { GroupGuard } from "../demo/child.ts";
import type { DemoServices } from "../demo/parts.ts";
import { fromCheckout, importFromCheckout } from "./checkout.ts";
import { startDockerServices } from "./docker.ts";

interface StartOptions {
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/** What is used of services/services.ts: it starts what is asked for. */
interface LocalServices {
  startServices(options: StartOptions & { kafka: boolean; mongo: boolean; own: boolean }): Promise<DemoServices>;
}

/** What is used of services/by-hand: services that outlive this process. */
interface ByHand {
  up(options: { print: (line: string) => void; signal: AbortSignal }): Promise<void>;
  down(options: { print: (line: string) => void }): Promise<void>;
}

interface Running {
  findRunning(directory: string): Promise<Omit<DemoServices, "stop"> | undefined>;
}

interface Artifacts {
  artifactsDirectory(): string;
}

type Start = (options: StartOptions) => Promise<DemoServices>;

/** How the demo gets its Kafka and database: those given, Docker's, or this machine's own. */
export function demoServices(values: Values): Start {
  const { "kafka.brokers": brokers, "mongo.url": mongoUrl } = values;
  if (values["demo.docker"]) return (options) => startInDocker(options);
  if (brokers !== undefined && mongoUrl !== undefined) return async () => given(brokers, mongoUrl);
  const start = values["demo.keep"] && brokers === undefined && mongoUrl === undefined ? startByHand : startLocal;
  return async (options) => {
    try {
      return await start(options, values);
    } catch (error) {
      throw fromCheckout(error);
    }
  };
}

/** Ends what the demo has started if this process is killed. Only a checkout has it. */
export async function openGuard(): Promise<(GroupGuard & AsyncDisposable) | undefined> {
  try {
    const { Reaper } = await importFromCheckout<{ Reaper: new () => GroupGuard & AsyncDisposable }>(
      "services/reaper.ts",
    );
    return new Reaper();
  } catch {
    return undefined;
  }
}

const GIVEN = "the one given by its address";

function given(brokers: readonly string[], mongoUrl: string): DemoServices {
  return { brokers, mongoUrl, database: GIVEN, stop: async () => {}, stopHint: "They were there before." };
}

/** Whatever of both isn't given. */
async function startLocal(options: StartOptions, values: Values): Promise<DemoServices> {
  const { "kafka.brokers": brokers, "mongo.url": mongoUrl } = values;
  const { startServices } = await importFromCheckout<LocalServices>("services/services.ts");
  const started = await startServices({
    ...options,
    kafka: brokers === undefined,
    mongo: mongoUrl === undefined,
    // The configuration has read the environment's addresses already.
    own: true,
  });
  return {
    brokers: brokers ?? started.brokers,
    mongoUrl: mongoUrl ?? started.mongoUrl,
    database: mongoUrl === undefined ? started.database : GIVEN,
    stop: () => started.stop(),
  };
}

/** In the background, so that they stay when this process ends; those that run there already are used and kept. */
async function startByHand({ log, signal }: StartOptions): Promise<DemoServices> {
  const [{ up, down }, { findRunning }, { artifactsDirectory }] = await Promise.all([
    importFromCheckout<ByHand>("services/by-hand/by-hand.ts"),
    importFromCheckout<Running>("services/by-hand/running.ts"),
    importFromCheckout<Artifacts>("services/artifacts.ts"),
  ]);
  const before = await findRunning(artifactsDirectory());
  if (before === undefined) await up({ print: log, signal });
  const running = before ?? (await findRunning(artifactsDirectory()));
  if (running === undefined) throw new Error("the services ended as soon as they had started");
  const { brokers, mongoUrl, database } = running;
  const stop = async (): Promise<void> => {
    if (before === undefined) await down({ print: log });
  };
  return { brokers, mongoUrl, database, stop, stopHint: "npm run services:down stops them." };
}

async function startInDocker({ log, signal }: StartOptions): Promise<DemoServices> {
  const { brokers, mongoUrl, stop, stopHint } = await startDockerServices({ print: log, signal });
  return { brokers, mongoUrl, database: "MongoDB 8.0 in Docker", stop, stopHint };
}
