import { collectDefaultMetrics, Registry } from "prom-client";

/** A registry with what Node says of the process: CPU, memory, event-loop delay, collections. Nothing is global. */
export function newRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry;
}
