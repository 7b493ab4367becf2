import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { PortTaken, ServiceError } from "./errors.ts";

/** Handed out by this process: a port is free only until its service has bound it. */
const handedOut = new Set<number>();

const LOWEST = 20_000;

/**
 * A free port below the range from which the system takes the ports of outgoing connections. A port inside that
 * range (as binding port 0 gives) can be lost while its service is down to be restarted: to any outgoing connection,
 * even to a client's own retry, which then connects to itself.
 */
export async function freePort(): Promise<number> {
  const highest = firstEphemeralPort() - 1;
  for (let attempt = 0; attempt < 1_000; attempt++) {
    const port = LOWEST + Math.floor(Math.random() * (highest - LOWEST));
    if (handedOut.has(port) || !(await isFree(port))) continue;
    handedOut.add(port);
    return port;
  }
  throw new ServiceError(`found no free port between ${LOWEST} and ${highest}`);
}

/** Between choosing a port and binding it anybody may take it: then everything is tried once more on other ports. */
export async function retryIfPortTaken<T>(start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    if (!(error instanceof PortTaken)) throw error;
    return await start();
  }
}

export async function isListening(port: number, host = "127.0.0.1"): Promise<boolean> {
  const socket = connect({ port, host });
  try {
    await once(socket, "connect", { signal: AbortSignal.timeout(2_000) });
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen({ port, host: "127.0.0.1" });
    await once(server, "listening");
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

function firstEphemeralPort(): number {
  try {
    const first = Number.parseInt(readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8"), 10);
    return first > LOWEST + 1_000 ? first : 32_768;
  } catch {
    return 32_768;
  }
}
