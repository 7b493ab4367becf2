import { ServiceError } from "../errors.ts";
import { freePort } from "../ports.ts";

/** As seen from the client: `downstream` is what the server answers, `upstream` what the client sends. */
type Direction = "downstream" | "upstream";

export interface LatencyOptions {
  readonly milliseconds: number;
  readonly jitterMilliseconds?: number;
  readonly direction?: Direction;
}

/** One address that passes everything on to another, as badly as it is told to. */
export interface FaultyProxy {
  readonly name: string;
  /** host:port for the client. */
  readonly address: string;
  readonly port: number;
  /** host:port of the server. */
  readonly upstream: string;
  /** Delays what goes one way. Returns the fault's name, to remove it by. */
  addLatency(options: LatencyOptions): Promise<string>;
  /**
   * Lets nothing through one way while connections stay open; with a time-out they are closed after it.
   * What comes meanwhile is lost, so removing it closes the connections.
   */
  freeze(options?: { readonly timeoutMilliseconds?: number; readonly direction?: Direction }): Promise<string>;
  limitBandwidth(options: { readonly kilobytesPerSecond: number; readonly direction?: Direction }): Promise<string>;
  /** Resets every connection (TCP RST, where a cut is an orderly FIN), new ones too, until it is removed. */
  reset(): Promise<string>;
  remove(fault: string): Promise<void>;
  /** Closes every connection and refuses new ones until restored. Faults stay. */
  cut(): Promise<void>;
  restore(): Promise<void>;
  delete(): Promise<void>;
}

export interface ToxiproxyClient {
  /** Of the HTTP API: what another process needs to use the same toxiproxy. */
  readonly url: string;
  createProxy(options: {
    readonly name: string;
    readonly upstream: string;
    /** For a toxiproxy in a container: what the proxy binds there, and the port of this machine that leads to it. */
    readonly published?: { readonly listen: string; readonly port: number };
  }): Promise<FaultyProxy>;
}

export function createToxiproxyClient(url: string): ToxiproxyClient {
  const call = async (method: "POST" | "DELETE", path: string, body?: unknown): Promise<void> => {
    const response = await fetch(url + path, {
      method,
      signal: AbortSignal.timeout(10_000),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new ServiceError(`toxiproxy, ${method} ${path}: ${response.status} ${text.trim()}`);
  };
  return {
    url,
    async createProxy({ name, upstream, published }) {
      // Chosen here and not by toxiproxy: the port must stay ours while the proxy is cut.
      const port = published?.port ?? (await freePort());
      const address = `127.0.0.1:${port}`;
      await call("POST", "/proxies", { name, listen: published?.listen ?? address, upstream, enabled: true });
      return { name, address, port, upstream, ...faults(call, `/proxies/${encodeURIComponent(name)}`) };
    },
  };
}

type Call = (method: "POST" | "DELETE", path: string, body?: unknown) => Promise<void>;

function faults(call: Call, path: string): Omit<FaultyProxy, "name" | "address" | "port" | "upstream"> {
  let added = 0;
  const add = async (type: string, direction: Direction, attributes: Record<string, number>): Promise<string> => {
    const name = `${type}-${direction}-${++added}`;
    await call("POST", `${path}/toxics`, { name, type, stream: direction, attributes });
    return name;
  };
  return {
    addLatency: ({ milliseconds, jitterMilliseconds = 0, direction = "downstream" }) =>
      add("latency", direction, { latency: milliseconds, jitter: jitterMilliseconds }),
    freeze: ({ timeoutMilliseconds = 0, direction = "downstream" } = {}) =>
      add("timeout", direction, { timeout: timeoutMilliseconds }),
    limitBandwidth: ({ kilobytesPerSecond, direction = "downstream" }) =>
      add("bandwidth", direction, { rate: kilobytesPerSecond }),
    reset: () => add("reset_peer", "downstream", { timeout: 0 }),
    remove: (fault) => call("DELETE", `${path}/toxics/${encodeURIComponent(fault)}`),
    cut: () => call("POST", path, { enabled: false }),
    restore: () => call("POST", path, { enabled: true }),
    delete: () => call("DELETE", path),
  };
}
