/** JSON schemas for kubeconform, of what Kubernetes and operators publish. Strict: a key that doesn't exist is an error. */

interface Node {
  readonly [key: string]: unknown;
}

interface Swagger {
  readonly definitions: Readonly<Record<string, Node>>;
}

export interface Kind {
  /** Empty for the core's. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** Where kubeconform finds them. */
export const SCHEMA_FILES = "{{.ResourceKind}}{{.KindSuffix}}.json";

export function schemaFile({ group, version, kind }: Kind): string {
  const [first = ""] = group.split(".");
  return `${[kind.toLowerCase(), ...(first === "" ? [] : [first]), version].join("-")}.json`;
}

const REF = "#/definitions/";
const INT_OR_STRING = { oneOf: [{ type: "integer" }, { type: "string" }] };

/** The schema of one kind of Kubernetes' own, with all that it refers to. @throws RangeError if there is no such kind */
export function kubernetesSchema({ definitions }: Swagger, wanted: Kind): object {
  const [root] =
    Object.entries(definitions).find(([, definition]) => {
      const kinds = (definition["x-kubernetes-group-version-kind"] ?? []) as readonly Kind[];
      return kinds.some(({ group, version, kind }) => schemaFile({ group, version, kind }) === schemaFile(wanted));
    }) ?? [];
  if (root === undefined) throw new RangeError(`Kubernetes has no ${wanted.group}/${wanted.version} ${wanted.kind}`);
  const reached = new Map<string, object>();
  const reach = (name: string): void => {
    if (reached.has(name)) return;
    const strict = strictly(definitions[name] ?? {});
    reached.set(name, strict);
    for (const [, next = ""] of JSON.stringify(strict).matchAll(/"#\/definitions\/([^"]+)"/g)) reach(next);
  };
  reach(root);
  return { $ref: REF + root, definitions: Object.fromEntries(reached) };
}

/** The schema of an operator's kind, by its CustomResourceDefinition. */
export function customSchema(definition: {
  readonly spec: { readonly versions: readonly { readonly name: string; readonly schema: Node }[] };
}): object {
  const [version] = definition.spec.versions;
  return strictly((version?.schema["openAPIV3Schema"] ?? {}) as Node);
}

/** @param node of a schema */
function strictly(node: Node): object {
  if (node["format"] === "int-or-string" || node["x-kubernetes-int-or-string"] === true) return INT_OR_STRING;
  const isOpen = "additionalProperties" in node || node["x-kubernetes-preserve-unknown-fields"] === true;
  const copied = Object.entries(node).map(([key, value]): readonly [string, unknown] => {
    if (key === "properties") return [key, mapped(value as Readonly<Record<string, Node>>)];
    const isSchema = ["items", "additionalProperties"].includes(key) && typeof value === "object" && value !== null;
    return [key, isSchema ? strictly(value as Node) : value];
  });
  return { ...Object.fromEntries(copied), ...("properties" in node && !isOpen ? { additionalProperties: false } : {}) };
}

function mapped(properties: Readonly<Record<string, Node>>): object {
  return Object.fromEntries(Object.entries(properties).map(([name, node]) => [name, strictly(node)]));
}
