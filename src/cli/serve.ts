import type { Logger } from "pino";
import type { Values } from "../config/option-table.ts";
import type { Vitals } from "../health/watchdog.ts";
import type { Served } from "../server/server.ts";

export interface Serving<T> {
  /** Makes the metrics of the process; what it returns is passed on. */
  readonly watch: (registry: import("prom-client").Registry) => Promise<T>;
  readonly vitals: () => Vitals;
  readonly status: () => unknown;
  readonly control?: Served["control"];
}

/** Answers HTTP where that is asked for. Undefined, and nothing is loaded, where it isn't. */
export async function serve<T>(
  values: Values,
  { watch, vitals, status, control }: Serving<T>,
  log: Logger,
): Promise<(AsyncDisposable & { readonly watched: T }) | undefined> {
  const listen = values["server.listen"];
  if (listen === undefined) return undefined;
  const [{ openServer }, { newRegistry, watchReadiness }, { Watchdog }] = await Promise.all([
    import("../server/server.ts"),
    import("../metrics/process-metrics.ts"),
    import("../health/watchdog.ts"),
  ]);
  const metrics = newRegistry();
  const watched = await watch(metrics);
  const watchdog = new Watchdog(values["server.stallMs"]);
  const readiness = () => watchdog.look(vitals());
  watchReadiness(metrics, () => readiness().ready);
  // It has to look by itself: between two questions a minute apart a standstill would not be seen.
  const looking = setInterval(readiness, LOOK_MS);
  looking.unref();
  try {
    const server = await openServer(listen, { metrics, readiness, status, control }, log);
    return {
      watched,
      async [Symbol.asyncDispose]() {
        clearInterval(looking);
        await server[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    clearInterval(looking);
    throw error;
  }
}

const LOOK_MS = 1_000;
