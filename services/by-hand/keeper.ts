// The process that owns the services started by hand. It outlives the command that starts it, and answers on an
// HTTP server of its own: GET says that it is there, DELETE stops everything.
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { freePort } from "../ports.ts";
import { type Services, startServices } from "../services.ts";
import type { KeeperMessage } from "./messages.ts";
import { forgetRunning, writeRunning } from "./running.ts";

const [, , directory = "", brokers, registry] = process.argv;
const withRegistry = registry === "registry";
const token = randomUUID();
const start = new AbortController();

// The command was interrupted before the services had started.
process.once("disconnect", () => start.abort(new Error("interrupted")));

try {
  const services = await startServices({
    kafka: { brokers: brokers === "3" ? 3 : 1 },
    mongo: true,
    toxiproxy: true,
    registry: withRegistry,
    // Whoever starts services by hand has often exported the addresses of earlier ones.
    own: true,
    log: (line) => tell({ kind: "progress", line }),
    signal: start.signal,
  });
  const port = await freePort();
  const server = createServer((request, response) => {
    const isOurs = request.headers.authorization === token;
    if (!isOurs || request.method === "GET") {
      response.writeHead(isOurs ? 204 : 403).end();
      return;
    }
    stop(services, server).then(
      () => response.writeHead(204).end(),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void stop(services, server));

  await writeRunning(directory, {
    pid: process.pid,
    keeper: `http://127.0.0.1:${port}/`,
    token,
    brokers: [...services.brokers],
    mongoUrl: services.mongoUrl,
    database: services.database,
    toxiproxy: services.toxiproxy.url,
    registryUrl: withRegistry ? services.registryUrl : undefined,
  });
  tell({ kind: "ready" });
} catch (error) {
  tell({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
} finally {
  if (process.connected) process.disconnect();
}

async function stop(services: Services, server: Server): Promise<void> {
  await forgetRunning(directory);
  await services.stop();
  // Ends the process once the answer is out.
  server.close();
}

function tell(message: KeeperMessage): void {
  if (process.connected) process.send?.(message);
}
