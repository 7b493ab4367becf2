import { join } from "node:path";
import { builtArtifact } from "../artifacts.ts";
import { goIn } from "../go.ts";
import type { Preparation } from "../preparation.ts";

const PACKAGE = "github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0";

/** The toxiproxy program, built if it is not there yet. Its version pins its own dependencies. */
export async function toxiproxyProgram({ reaper, log, signal }: Preparation): Promise<string> {
  const directory = await builtArtifact(
    {
      name: "toxiproxy",
      inputs: [PACKAGE, process.platform, process.arch],
      async build(target) {
        const env = { ...process.env, GOBIN: target };
        const go = await goIn(target, { timeoutMs: 10 * 60_000, env, reaper, signal });
        log("Building toxiproxy with Go, this once (some 30 s) …");
        await go("install", "-trimpath", "-ldflags=-s -w", PACKAGE);
      },
    },
    signal,
  );
  return join(directory, "server");
}
