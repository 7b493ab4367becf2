import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { builtArtifact } from "../artifacts.ts";
import { ServiceError } from "../errors.ts";
import { goIn } from "../go.ts";
import { copyModule, type Fix } from "../go-source.ts";
import type { Preparation } from "../preparation.ts";

/** That of the image in the compose file, which a test holds it to. */
export const PROMETHEUS_VERSION = "3.5.0";

/** As Go numbers it: 3.5.0 is v0.305.0. */
const MODULE = "github.com/prometheus/prometheus@v0.305.0";
/** Of the module's contents, whatever the proxy says. */
const SUM = "h1:UO/LsM32/E9yBDtvQj8tN+WwhbyWKR10lO35vmFLx0U=";

const LICENSED_PLUGINS = "package plugins\n\nimport (";

/**
 * Ways to find targets in clouds are most of what there is to compile, and of no use here: files, HTTP and names are
 * enough. Go's own pruning then leaves out the clouds' libraries, and promtool the Kubernetes client's.
 */
const FIXES: readonly Fix[] = [
  { file: "plugins/plugins.go", before: LICENSED_PLUGINS, after: `//go:build clouds\n\n${LICENSED_PLUGINS}`, count: 1 },
  {
    file: "plugins/minimum.go",
    before: "import (\n",
    after: 'import (\n\t_ "github.com/prometheus/prometheus/discovery/dns"\n',
    count: 1,
  },
  {
    file: "cmd/promtool/main.go",
    before: '\t"github.com/prometheus/prometheus/discovery/kubernetes"\n',
    after: "",
    count: 1,
  },
  {
    file: "cmd/promtool/main.go",
    before: `			case *kubernetes.SDConfig:
				if err := checkTLSConfig(c.HTTPClientConfig.TLSConfig, checkSyntaxOnly); err != nil {
					return nil, nil, err
				}
`,
    after: "",
    count: 1,
  },
];

export interface PrometheusPrograms {
  readonly prometheus: string;
  readonly promtool: string;
}

/** Prometheus and promtool, built from a copy of their module if they are not there yet. */
export async function prometheusPrograms({ reaper, log, signal }: Preparation): Promise<PrometheusPrograms> {
  const directory = await builtArtifact(
    {
      name: `prometheus-${PROMETHEUS_VERSION}`,
      inputs: [MODULE, SUM, JSON.stringify(FIXES), process.platform, process.arch],
      async build(target) {
        const build = join(target, "build");
        const go = await goIn(build, { timeoutMs: 30 * 60_000, reaper, signal });
        log(`Building Prometheus ${PROMETHEUS_VERSION} with Go, this once (some 3 minutes) …`);
        await mkdir(build);
        const { Dir: original, Sum: sum } = JSON.parse(await go("mod", "download", "-json", MODULE)) as {
          readonly Dir: string;
          readonly Sum: string;
        };
        if (sum !== SUM) throw new ServiceError(`${MODULE} isn't what it was: its sum is ${sum} and not ${SUM}`);
        await copyModule(original, build, FIXES);
        await go("build", "-trimpath", "-ldflags=-s -w", "-o", `${target}/`, "./cmd/prometheus", "./cmd/promtool");
        await rm(build, { recursive: true });
      },
    },
    signal,
  );
  return { prometheus: join(directory, "prometheus"), promtool: join(directory, "promtool") };
}
