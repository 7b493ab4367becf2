import { freePort } from "../services/ports.ts";
import { createToxiproxyClient, type FaultyProxy } from "../services/toxiproxy/client.ts";
import { type DockerServices, startDockerServices } from "../src/cli/docker.ts";

/** A project of its own: `down --volumes` must not take anybody else's containers and data. */
const PROJECT = "spillway-scenarios";

interface Composed extends Pick<DockerServices, "brokers" | "mongoUrl" | "stop"> {
  /** In front of the database. */
  readonly proxy: FaultyProxy;
}

/**
 * Kafka, the database and toxiproxy of docker-compose.yml, published on free ports of this machine.
 * @throws SpillwayError PREREQUISITE_MISSING if there is no Docker engine, or no Compose
 */
export async function startComposed(options: {
  readonly print: (line: string) => void;
  readonly signal: AbortSignal;
}): Promise<Composed> {
  const [apiPort, port] = [await freePort(), await freePort()];
  const env = { COMPOSE_PROFILES: "scenarios", TOXIPROXY_PORT: String(apiPort), SLOW_MONGO_PORT: String(port) };
  const beside = { services: ["toxiproxy"], env };
  const { brokers, mongoUrl, stop } = await startDockerServices({ ...options, project: PROJECT, beside });
  try {
    const client = createToxiproxyClient(`http://127.0.0.1:${apiPort}`);
    const published = { listen: "0.0.0.0:8475", port };
    const proxy = await client.createProxy({ name: "scenarios", upstream: "mongo:27017", published });
    return { brokers, mongoUrl, proxy, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
