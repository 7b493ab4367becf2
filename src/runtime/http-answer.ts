/** What `fetch` leaves to its callers. */
import { messageOf } from "../errors.ts";

/** The whole answer. @throws Error if it is longer than that; whatever the connection fails with */
export async function boundedText(response: Response, largestBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > largestBytes) throw new Error(`its answer is longer than ${largestBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Undefined for what is no JSON. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** fetch says "fetch failed" and hides why in the cause. */
export function whyFetchFailed(error: unknown): string {
  return error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : messageOf(error);
}
