import { collectDefaultMetrics, Registry } from "prom-client";
import { gauge } from "./pulled.ts";

/** A registry with what Node says of the process: CPU, memory, event-loop delay, collections. Nothing is global. */
export function newRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry;
}

/** Shows whether a process gets anywhere, as `/health/ready` says it. */
export function watchReadiness(registry: Registry, isReady: () => boolean): void {
  const help = "1 if the process gets anywhere, 0 if /health/ready says why it doesn't";
  gauge({ registry, name: "spillway_ready", help }, () => (isReady() ? 1 : 0));
}
