/** Says where the time goes in a profile of `--cpu-prof`: `node bench/profile.ts FILE [how many lines]`. */
import { readFileSync } from "node:fs";

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

const [, , file, lines = "40"] = process.argv;
if (file === undefined) {
  process.stderr.write("node bench/profile.ts FILE [how many lines]\n");
  process.exitCode = 2;
} else {
  const profile: Profile = JSON.parse(readFileSync(file, "utf8"));
  const self = selfTimes(profile);
  const total = [...self.values()].reduce((sum, time) => sum + time, 0);
  const idle = self.get("(idle)") ?? 0;
  self.delete("(idle)");
  process.stdout.write(`busy for ${((total - idle) / 1e6).toFixed(1)} s of ${(total / 1e6).toFixed(1)} s\n`);
  const longest = [...self].toSorted(([, a], [, b]) => b - a).slice(0, Number(lines));
  for (const [what, time] of longest) {
    process.stdout.write(`${((time / (total - idle)) * 100).toFixed(1).padStart(5)} %  ${what}\n`);
  }
}

/** By function, itself only. Native functions have no place of their own, so they stand with their caller's name. */
function selfTimes({ nodes, samples, timeDeltas }: Profile): Map<string, number> {
  const callers = new Map(
    nodes.flatMap(({ children = [], callFrame }) => children.map((id) => [id, callFrame] as const)),
  );
  const names = new Map(
    nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => {
      if (functionName.startsWith("(")) return [id, functionName] as const;
      const place =
        url === "" ? `native, from ${callers.get(id)?.functionName}` : `${shortened(url)}:${lineNumber + 1}`;
      return [id, `${functionName || "(anonymous)"} ${place}`] as const;
    }),
  );
  const times = new Map<string, number>();
  for (const [index, id] of samples.entries()) {
    const name = names.get(id) ?? "(unknown)";
    times.set(name, (times.get(name) ?? 0) + (timeDeltas[index] ?? 0));
  }
  return times;
}

function shortened(url: string): string {
  return url.split("/").slice(-2).join("/");
}
