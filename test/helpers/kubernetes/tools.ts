import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { builtArtifact } from "../../../services/artifacts.ts";
import { goIn } from "../../../services/go.ts";
import type { Preparation } from "../../../services/preparation.ts";
import { customSchema, type Kind, kubernetesSchema, schemaFile } from "./schemas.ts";

/** The last that Go 1.23 builds. */
const PROGRAMS = [
  "github.com/yannh/kubeconform/cmd/kubeconform@v0.6.7",
  "sigs.k8s.io/kustomize/kustomize/v5@v5.6.0",
] as const;
const KUBERNETES = "k8s.io/kubernetes@v1.34.4";
const KEDA = "github.com/kedacore/keda/v2@v2.21.0";

/** What the manifests use. Of another kind kubeconform says that it has no schema. */
const KINDS: readonly Kind[] = [
  { group: "", version: "v1", kind: "Namespace" },
  { group: "", version: "v1", kind: "ServiceAccount" },
  { group: "", version: "v1", kind: "ConfigMap" },
  { group: "", version: "v1", kind: "Service" },
  { group: "apps", version: "v1", kind: "Deployment" },
  { group: "batch", version: "v1", kind: "Job" },
  { group: "policy", version: "v1", kind: "PodDisruptionBudget" },
];
const KEDA_KINDS = [
  { file: "keda.sh_scaledobjects.yaml", kind: { group: "keda.sh", version: "v1alpha1", kind: "ScaledObject" } },
  {
    file: "keda.sh_triggerauthentications.yaml",
    kind: { group: "keda.sh", version: "v1alpha1", kind: "TriggerAuthentication" },
  },
];
/** What KEDA's kafka trigger takes stands in its code alone. */
const KEDA_TRIGGER = "pkg/scalers/kafka_scaler.go";
const TRIGGER_FILE = "kafka-trigger.json";

export interface KubernetesTools {
  readonly kustomize: string;
  readonly kubeconform: string;
  /** A folder of JSON schemas. */
  readonly schemas: string;
  /** The keys of a kafka trigger's metadata. */
  readonly triggerKeys: readonly string[];
}

/** kustomize, kubeconform and the schemas, from Go modules at the versions above, made if they aren't there yet. */
export async function kubernetesTools(preparation: Preparation): Promise<KubernetesTools> {
  const { reaper, log, signal } = preparation;
  const converter = await readFile(join(import.meta.dirname, "schemas.ts"), "utf8");
  const kinds = JSON.stringify([KINDS, KEDA_KINDS]);
  const directory = await builtArtifact(
    {
      name: "kubernetes-tools",
      inputs: [...PROGRAMS, KUBERNETES, KEDA, KEDA_TRIGGER, kinds, converter, process.platform, process.arch],
      async build(target) {
        const env = { ...process.env, GOBIN: target };
        const go = await goIn(target, { timeoutMs: 10 * 60_000, env, reaper, signal });
        log("Building kustomize and kubeconform with Go, this once (some 1 minute) …");
        for (const program of PROGRAMS) await go("install", "-trimpath", "-ldflags=-s -w", program);
        const folderOf = async (module: string): Promise<string> => {
          const { Dir } = JSON.parse(await go("mod", "download", "-json", module)) as { readonly Dir: string };
          return Dir;
        };
        await writeSchemas(target, await folderOf(KUBERNETES), await folderOf(KEDA));
      },
    },
    signal,
  );
  const triggerKeys: readonly string[] = JSON.parse(await readFile(join(directory, TRIGGER_FILE), "utf8"));
  const [kustomize, kubeconform] = [join(directory, "kustomize"), join(directory, "kubeconform")];
  return { kustomize, kubeconform, schemas: join(directory, "schemas"), triggerKeys };
}

async function writeSchemas(target: string, kubernetes: string, keda: string): Promise<void> {
  const schemas = join(target, "schemas");
  await mkdir(schemas);
  const write = (kind: Kind, schema: object): Promise<void> =>
    writeFile(join(schemas, schemaFile(kind)), JSON.stringify(schema));
  const swagger = JSON.parse(await readFile(join(kubernetes, "api/openapi-spec/swagger.json"), "utf8"));
  for (const kind of KINDS) await write(kind, kubernetesSchema(swagger, kind));
  for (const { file, kind } of KEDA_KINDS) {
    await write(kind, customSchema(parse(await readFile(join(keda, "config/crd/bases", file), "utf8"))));
  }
  const trigger = await readFile(join(keda, KEDA_TRIGGER), "utf8");
  const fields = trigger.matchAll(/`keda:"name=(\w+),order=(?:\w+;)*triggerMetadata/g);
  await writeFile(join(target, TRIGGER_FILE), JSON.stringify([...fields].map(([, name]) => name)));
}
