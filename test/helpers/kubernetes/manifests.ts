import { parseAllDocuments } from "yaml";
import { z } from "zod";

const object = z.record(z.string(), z.unknown());
const labels = z.record(z.string(), z.string());

const reference = z.object({ name: z.string(), key: z.string(), optional: z.boolean().optional() });
const variable = z.object({
  name: z.string(),
  value: z.string().optional(),
  valueFrom: z.object({ secretKeyRef: reference }).optional(),
});
const probe = z.looseObject({
  httpGet: z.object({ path: z.string(), port: z.string() }),
  periodSeconds: z.number(),
  failureThreshold: z.number(),
});
const container = z.looseObject({
  name: z.string(),
  image: z.string(),
  args: z.array(z.string()),
  env: z.array(variable),
  ports: z.array(z.object({ name: z.string(), containerPort: z.number() })),
  startupProbe: probe,
  livenessProbe: probe,
  readinessProbe: probe,
  lifecycle: z.object({ preStop: z.object({ sleep: z.object({ seconds: z.number() }) }) }),
  resources: z.object({ requests: labels, limits: labels }),
  securityContext: object,
  volumeMounts: z.array(z.object({ name: z.string(), mountPath: z.string(), readOnly: z.boolean() })),
});
const pod = z.looseObject({
  automountServiceAccountToken: z.boolean(),
  enableServiceLinks: z.boolean(),
  terminationGracePeriodSeconds: z.number(),
  securityContext: object,
  containers: z.array(container).length(1),
  volumes: z.array(z.looseObject({ name: z.string() })),
});
const workload = z.looseObject({
  selector: z.object({ matchLabels: labels }).optional(),
  template: z.looseObject({ metadata: z.looseObject({ labels, annotations: labels }), spec: pod }),
});
const manifest = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
});

export type Manifest = z.infer<typeof manifest>;

/** A Deployment or Job, and the one pod that it makes. */
export interface Workload {
  readonly name: string;
  readonly kind: string;
  /** Of a Deployment. */
  readonly selector: Readonly<Record<string, string>> | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly pod: z.infer<typeof pod>;
  readonly container: z.infer<typeof container>;
}

/** @throws ZodError if one isn't shaped as all of ours are */
export function manifestsOf(text: string): readonly Manifest[] {
  return parseAllDocuments(text).map((document) => manifest.parse(document.toJS()));
}

export function workloadsOf(manifests: readonly Manifest[]): readonly Workload[] {
  return manifests
    .filter(({ kind }) => kind === "Deployment" || kind === "Job")
    .map(({ kind, metadata, spec }) => {
      const { selector, template } = workload.parse(spec);
      const [first] = template.spec.containers;
      if (first === undefined) throw new RangeError(`${metadata.name} has no container`);
      const { labels: given, annotations } = template.metadata;
      const of = { name: metadata.name, kind, selector: selector?.matchLabels };
      return { ...of, labels: given, annotations, pod: template.spec, container: first };
    });
}
