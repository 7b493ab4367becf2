/** A listener for clients that come through a proxy: the broker binds `port` and tells them the proxy's. */
export interface ProxiedListener {
  readonly port: number;
  readonly advertisedPort: number;
}

/** A further listener, such as one for TLS. What it needs besides is in the configuration, under its name. */
export interface Listener {
  /** In capitals. */
  readonly name: string;
  readonly protocol: "SSL" | "SASL_SSL";
  readonly port: number;
}

export interface NodeAddress {
  readonly id: number;
  readonly port: number;
  readonly controllerPort: number;
  readonly proxied?: ProxiedListener | undefined;
  readonly listeners?: readonly Listener[];
}

export interface NodeSettings {
  readonly node: NodeAddress;
  readonly nodes: readonly NodeAddress[];
  readonly dataDirectory: string;
  /** A caller's own properties, which win. */
  readonly config: Readonly<Record<string, string>>;
}

/** One broker's properties file: broker and KRaft controller in one process. */
export function brokerProperties({ node, nodes, dataDirectory, config }: NodeSettings): string {
  const replicas = String(nodes.length);
  const minimumInSync = nodes.length > 1 ? "2" : "1";
  const client = { listener: `CLIENT://127.0.0.1:${node.port}`, advertised: `CLIENT://127.0.0.1:${node.port}` };
  const proxied = node.proxied && {
    listener: `PROXIED://127.0.0.1:${node.proxied.port}`,
    advertised: `PROXIED://127.0.0.1:${node.proxied.advertisedPort}`,
  };
  const { listeners = [] } = node;
  const further = listeners.map(({ name, port }) => {
    const listener = `${name}://127.0.0.1:${port}`;
    return { listener, advertised: listener };
  });
  const forClients = [client, ...(proxied === undefined ? [] : [proxied]), ...further];
  const protocols = ["CLIENT:PLAINTEXT", "PROXIED:PLAINTEXT", "CONTROLLER:PLAINTEXT"];
  for (const { name, protocol } of listeners) protocols.push(`${name}:${protocol}`);
  const properties: Record<string, string> = {
    "process.roles": "broker,controller",
    "node.id": String(node.id),
    "controller.quorum.voters": nodes.map((peer) => `${peer.id}@127.0.0.1:${peer.controllerPort}`).join(","),
    listeners: [...forClients.map(({ listener }) => listener), `CONTROLLER://127.0.0.1:${node.controllerPort}`].join(),
    "advertised.listeners": forClients.map(({ advertised }) => advertised).join(),
    "listener.security.protocol.map": protocols.join(),
    "inter.broker.listener.name": "CLIENT",
    "controller.listener.names": "CONTROLLER",
    "log.dirs": dataDirectory,

    // A mistyped topic must fail, not appear.
    "auto.create.topics.enable": "false",
    "default.replication.factor": replicas,
    "min.insync.replicas": minimumInSync,
    "offsets.topic.replication.factor": replicas,
    "transaction.state.log.replication.factor": replicas,
    "transaction.state.log.min.isr": minimumInSync,
    "share.coordinator.state.topic.replication.factor": replicas,
    "share.coordinator.state.topic.min.isr": minimumInSync,

    // Few partitions of internal topics: their coordinators load sooner.
    "offsets.topic.num.partitions": "10",
    "transaction.state.log.num.partitions": "10",
    "share.coordinator.state.topic.num.partitions": "10",
    "group.initial.rebalance.delay.ms": "0",

    // Backfills carry old timestamps; retention by time would delete them at once.
    "log.retention.ms": "-1",
    // After a kill: how long until others lead its partitions, and until the same broker may register again.
    "broker.session.timeout.ms": "6000",
    ...config,
  };
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${escapeValue(value)}\n`)
    .join("");
}

/** In a properties file a backslash escapes and a line ends the value (SASL settings hold both). */
function escapeValue(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
