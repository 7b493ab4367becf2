import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";

export interface HttpDouble extends AsyncDisposable {
  /** Without a slash at its end. */
  readonly url: string;
}

/** A local HTTP server in the place of another that a test can't have, or can't make fail as it wants. */
export async function httpDouble(answer: RequestListener): Promise<HttpDouble> {
  const server = createServer(answer);
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
