import { SpillwayError } from "../../errors.ts";

/** Does one command, told when to give up, within a deadline. */
export type InTime = <T>(command: (signal: AbortSignal) => Promise<T>) => Promise<T>;

/**
 * Gives each command a deadline in milliseconds, from the choice of a server to the answer.
 *
 * Clients' own time-outs leave gaps. Seen with MongoDB's driver 7.9.0: a connection that closes just as a command is written to it
 * waits for the socket to drain, and a destroyed socket never does. A signal ends that too, and frees the connection.
 *
 * What it returns rejects with a SpillwayError TIMEOUT, retryable, when the time is over.
 */
export function inTime(ms: number): InTime {
  return async (command) => {
    const deadline = new AbortController();
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      const error = new SpillwayError("TIMEOUT", `the database has not answered for ${ms} ms`, { retryable: true });
      reject(error);
      deadline.abort(error);
    }, ms);
    try {
      return await Promise.race([command(deadline.signal), late]);
    } finally {
      clearTimeout(timer);
    }
  };
}
