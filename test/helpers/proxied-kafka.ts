import { freePort } from "../../services/ports.ts";
import { type Services, startServices } from "../../services/services.ts";
import type { FaultyProxy } from "../../services/toxiproxy/client.ts";
import type { KafkaOptions } from "../../src/kafka/options.ts";
import { kafkaOf } from "./kafka.ts";

/** Brokers of our own, to be reached directly, for the judges, and through a faulty proxy each, for what is judged. */
export interface ProxiedKafka {
  readonly services: Services;
  readonly direct: KafkaOptions;
  readonly proxied: KafkaOptions;
  /** By broker, numbered from 0. */
  readonly proxies: readonly FaultyProxy[];
  stop(): Promise<void>;
}

/** A broker that is silent for 3 s loses its leaderships, so a freeze of 5 s makes a leader that doesn't know. */
const BROKER_SESSION = { "broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "500" };

export async function startProxiedKafka(): Promise<ProxiedKafka> {
  const network = await startServices({ own: true, toxiproxy: true });
  try {
    const proxies: FaultyProxy[] = [];
    const proxied: { readonly port: number; readonly advertisedPort: number }[] = [];
    for (let node = 0; node < 3; node++) {
      const port = await freePort();
      const proxy = await network.toxiproxy.createProxy({ name: `broker-${node}`, upstream: `127.0.0.1:${port}` });
      proxies.push(proxy);
      proxied.push({ port, advertisedPort: proxy.port });
    }
    const services = await startServices({ own: true, kafka: { brokers: 3, proxied, config: BROKER_SESSION } });
    return {
      services,
      direct: kafkaOf(services.brokers),
      proxied: kafkaOf(proxies.map(({ address }) => address)),
      proxies,
      async stop() {
        await services.stop();
        await network.stop();
      },
    };
  } catch (error) {
    await network.stop();
    throw error;
  }
}
