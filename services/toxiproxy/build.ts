import { join } from "node:path";
import { builtArtifact } from "../artifacts.ts";
import { lastLines, runCommand } from "../command.ts";
import { ServiceError } from "../errors.ts";
import type { Preparation } from "../preparation.ts";
import { requireGo } from "../prerequisites.ts";

const PACKAGE = "github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0";

/** The toxiproxy program, built if it is not there yet. Its version pins its own dependencies. */
export async function toxiproxyProgram({ reaper, log, signal }: Preparation): Promise<string> {
  const directory = await builtArtifact(
    {
      name: "toxiproxy",
      inputs: [PACKAGE, process.platform, process.arch],
      async build(target) {
        await requireGo(reaper);
        log("Building toxiproxy with Go, this once (some 30 s) …");
        const { code, stderr } = await runCommand("go", ["install", "-trimpath", "-ldflags=-s -w", PACKAGE], {
          env: { ...process.env, GOBIN: target },
          cwd: target,
          timeoutMs: 10 * 60_000,
          reaper,
          signal,
        });
        if (code !== 0) throw new ServiceError(`toxiproxy was not built:\n${lastLines(stderr, 20)}`);
      },
    },
    signal,
  );
  return join(directory, "server");
}
