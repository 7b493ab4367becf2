import { maskSecrets } from "../config/secrets.ts";
import { messageOf, SpillwayError } from "../errors.ts";

/** Says on standard error what ended the command. @param withStack at log level debug or finer */
export function printError(error: unknown, withStack: boolean): void {
  const known = error instanceof SpillwayError;
  const lines = [`spillway: ${known ? "" : "unexpected error: "}${messageOf(error)}`, ...causes(error)];
  if (withStack && error instanceof Error) lines.push(error.stack ?? "no stack");
  else if (!known) lines.push("  Run it again with --log-level debug for the place in the code.");
  process.stderr.write(`${maskSecrets(lines.join("\n"))}\n`);
}

/** The messages of the causes that say something new. */
function causes(error: unknown): string[] {
  const lines: string[] = [];
  let said = messageOf(error);
  let cause = error instanceof Error ? error.cause : undefined;
  for (let depth = 0; cause !== undefined && depth < 5; depth++) {
    const message = messageOf(cause);
    if (message !== "" && !said.includes(message)) lines.push(`  because: ${message}`);
    said += message;
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return lines;
}
