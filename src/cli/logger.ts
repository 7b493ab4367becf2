import { type Logger, pino, stdSerializers } from "pino";
import { maskSecrets } from "../config/secrets.ts";
import { bigintsAsText } from "../runtime/bigints-as-text.ts";

/**
 * Logs JSON lines to standard error, so that standard output is a command's result alone. Every line goes through the
 * mask as it will be read, whoever wrote it.
 */
export function createLogger(level: string): Logger {
  const withStacks = level === "debug" || level === "trace";
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: (error: unknown) => serializeError(error, withStacks) },
      hooks: { streamWrite: maskSecrets },
    },
    // Synchronous: the last lines before an exit are the ones that matter.
    pino.destination({ dest: 2, sync: true }),
  );
}

function serializeError(error: unknown, withStack: boolean): unknown {
  if (!(error instanceof Error)) return error;
  const { stack, ...rest } = stdSerializers.errWithCause(error);
  const plain = JSON.parse(JSON.stringify(rest, bigintsAsText));
  return withStack ? { ...plain, stack } : plain;
}
