import { makeAuthority } from "../../services/certificates.ts";
import type { KafkaOptions } from "../../src/kafka/options.ts";
import type { SecuredScene } from "./secured-scene.ts";
import { kafkaBy } from "./secured-ways.ts";

/** Until what may pass is given up. */
const SOON = { connectDeadlineMs: 500 };

/** Ways that don't lead into the secured broker, each by the one thing that is wrong. */
export class UnfitWays {
  readonly #scene: SecuredScene;

  constructor(scene: SecuredScene) {
    this.#scene = scene;
  }

  password(mechanism: string): KafkaOptions {
    const { SPILLWAY_SASL_PASSWORD_FILE: _file, ...environment } = this.#scene.environment(mechanism, "relay");
    return kafkaBy({ ...environment, SPILLWAY_SASL_PASSWORD: "wrong-password" });
  }

  clientSecret(): KafkaOptions {
    const environment = this.#scene.environment("oauthbearer-endpoint", "relay");
    return kafkaBy({ ...environment, SPILLWAY_SASL_CLIENT_SECRET: "wrong-secret" });
  }

  async authority(): Promise<KafkaOptions> {
    const { caFile } = await makeAuthority(this.#scene.directory, "other");
    return kafkaBy({ ...this.#scene.environment("plain", "relay"), SPILLWAY_SSL_CA_FILE: caFile });
  }

  name(): KafkaOptions {
    return this.#byTls({ brokers: [this.#scene.secured.tls.replace("127.0.0.1", "localhost")] });
  }

  noCertificate(): KafkaOptions {
    return this.#byTls({ brokers: [this.#scene.secured.mutualTls] });
  }

  async stranger(): Promise<KafkaOptions> {
    const authority = await makeAuthority(this.#scene.directory, "strange");
    const { certFile, keyFile } = await authority.issue("stranger");
    const { SPILLWAY_SSL_KEY_PASSPHRASE: _passphrase, ...environment } = this.#scene.environment("mutual-tls", "relay");
    return kafkaBy({ ...environment, SPILLWAY_SSL_CERT_FILE: certFile, SPILLWAY_SSL_KEY_FILE: keyFile });
  }

  login(): KafkaOptions {
    return { ...this.#scene.kafka("plain", "relay"), brokers: [this.#scene.secured.tls] };
  }

  noLogin(): KafkaOptions {
    return this.#byTls({ brokers: [this.#scene.secured.login], ...SOON });
  }

  tls(): KafkaOptions {
    return this.#byTls({ brokers: this.#scene.admin.brokers, ...SOON });
  }

  noTls(): KafkaOptions {
    return { ...this.#scene.admin, brokers: [this.#scene.secured.tls], ...SOON };
  }

  #byTls(options: Partial<KafkaOptions>): KafkaOptions {
    return { ...this.#scene.kafka("tls", "relay"), ...options };
  }
}
