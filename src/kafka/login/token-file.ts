import { readFile } from "node:fs/promises";
import { messageOf, SpillwayError } from "../../errors.ts";

/**
 * The token that a file holds, read anew each time: whoever puts a new one there before the old one expires, such as
 * the kubelet for a service account, has no process to restart.
 * @throws SpillwayError AUTHENTICATION_FAILED; retryable, as the file may just be replaced
 */
export async function tokenOfFile(file: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    throw unusable(`can't be read: ${messageOf(cause)}`, file, cause);
  }
  const token = text.trim();
  if (token === "") throw unusable("is empty", file);
  return token;
}

function unusable(why: string, file: string, cause?: unknown): SpillwayError {
  return new SpillwayError("AUTHENTICATION_FAILED", `The token for the brokers is to be in ${file}, which ${why}`, {
    retryable: true,
    cause,
  });
}
