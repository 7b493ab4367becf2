/** KafkaJS's own configuration, as applications have it: it works here as it is. */
import type { KafkaConfig } from "kafkajs";
import { type Logger, pino } from "pino";
import { SpillwayError } from "../errors.ts";
import { withoutUndefined } from "../runtime/without-undefined.ts";
import { KAFKA_DEFAULTS, type KafkaOptions } from "./options.ts";

/**
 * What `new Kafka(…)` of KafkaJS takes. Times are in milliseconds.
 *
 * `retry` and `enforceRequestTimeout` are taken and mean nothing: every request has a deadline, every retry its own limit.
 */
export type KafkaConnection = Omit<KafkaConfig, "brokers"> & {
  /** host:port of some brokers, the others are discovered; or a function that is asked whenever none can be reached. */
  readonly brokers: readonly string[] | (() => readonly string[] | Promise<readonly string[]>);
};

/** @throws SpillwayError CONFIG_INVALID where there is no broker */
export function kafkaOptionsOf(config: KafkaConnection): KafkaOptions {
  const { brokers, ssl, sasl, clientId, connectionTimeout, authenticationTimeout, requestTimeout } = config;
  const { reauthenticationThreshold, socketFactory } = config;
  const isDynamic = typeof brokers === "function";
  if (!isDynamic && brokers.length === 0) {
    throw new SpillwayError("CONFIG_INVALID", "kafka.brokers is empty", {
      context: { hint: "Name at least one broker, as host:port" },
    });
  }
  return {
    ...KAFKA_DEFAULTS,
    brokers: isDynamic ? [] : brokers,
    ...(isDynamic ? { findBrokers: async () => await brokers() } : {}),
    ssl: ssl === true ? {} : ssl === false ? undefined : ssl,
    sasl,
    ...withoutUndefined({
      clientId,
      connectionTimeoutMs: connectionTimeout,
      authenticationTimeoutMs: authenticationTimeout,
      reauthenticationThresholdMs: reauthenticationThreshold,
      requestTimeoutMs: requestTimeout,
      socketFactory,
    }),
  };
}

/** KafkaJS's levels by number, as pino names them. */
const LEVELS: ReadonlyMap<number, string> = new Map([
  [0, "silent"],
  [1, "error"],
  [2, "warn"],
  [4, "info"],
  [5, "debug"],
]);
const NUMBERS: ReadonlyMap<string, number> = new Map([...LEVELS].map(([number, name]) => [name, number]));
const [WARN, INFO] = [2, 4];

/**
 * Where the log goes: to pino, if one is given; to KafkaJS's `logCreator`, at its level; or else, at `logLevel` and at
 * warnings without one, to standard error as JSON lines, since what goes wrong must not go unseen.
 */
export function logOf({ logLevel, logCreator }: KafkaConnection, log: Logger | undefined): Logger {
  if (log !== undefined) return log;
  const number = logLevel ?? (logCreator === undefined ? WARN : INFO);
  const options = {
    level: LEVELS.get(number) ?? "info",
    base: null,
    formatters: { level: (level: string) => ({ level }) },
    timestamp: pino.stdTimeFunctions.isoTime,
  };
  if (logCreator === undefined) return pino(options, { write: (line) => void process.stderr.write(line) });
  const write = logCreator(number);
  return pino(options, {
    write: (line) => {
      const { level, time, msg, ...more } = JSON.parse(line) as LogLine;
      const entry = { timestamp: time, logger: "spillway", message: msg ?? "", ...more };
      write({ namespace: "Spillway", level: NUMBERS.get(level) ?? number, label: level.toUpperCase(), log: entry });
    },
  });
}

interface LogLine extends Readonly<Record<string, unknown>> {
  readonly level: string;
  readonly time: string;
  readonly msg?: string;
}
