import { copyFile, mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { builtArtifact } from "../artifacts.ts";
import { goIn } from "../go.ts";
import { copyModule } from "../go-source.ts";
import type { Preparation } from "../preparation.ts";
import { FIXES } from "./fixes.ts";

export const FERRETDB_VERSION = "1.24.0";

const MODULE = "github.com/FerretDB/FerretDB";
const SOURCES = ["main.go", "go.mod", "go.sum"] as const;

/** The ferretdb program, built from a copy of its module with our fixes if it is not there yet. */
export async function ferretdbProgram({ reaper, log, signal }: Preparation): Promise<string> {
  const sources = await Promise.all(SOURCES.map((file) => readFile(join(import.meta.dirname, file), "utf8")));
  const directory = await builtArtifact(
    {
      name: `ferretdb-${FERRETDB_VERSION}`,
      inputs: [...sources, JSON.stringify(FIXES), process.platform, process.arch],
      async build(target) {
        const build = join(target, "build");
        const go = await goIn(build, { timeoutMs: 15 * 60_000, reaper, signal });
        log(`Building FerretDB ${FERRETDB_VERSION} with Go, this once (some 2 minutes) …`);
        await mkdir(build);
        for (const file of SOURCES) await copyFile(join(import.meta.dirname, file), join(build, file));
        await go("mod", "download", MODULE);
        const original = (await go("list", "-m", "-f", "{{.Dir}}", MODULE)).trim();
        await copyModule(original, join(build, "module"), FIXES);
        await go("mod", "edit", "-replace", `${MODULE}=./module`);
        await go("build", "-trimpath", "-ldflags=-s -w", "-o", join(target, "ferretdb"), ".");
        await rm(build, { recursive: true });
      },
    },
    signal,
  );
  return join(directory, "ferretdb");
}
