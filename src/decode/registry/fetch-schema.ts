import type { Answer, RegistryClient } from "./client.ts";
import type { RegisteredSchema, SchemaReference, SchemaText } from "./registered-schema.ts";

/** A schema that refers to more than that, however indirectly, is taken for one that can't be used. */
const MOST_REFERENCES = 500;

export type FetchedSchema =
  | { readonly kind: "found"; readonly schema: RegisteredSchema }
  | { readonly kind: "missing"; readonly message: string };

/** Asks for a schema and all that it refers to. @throws as `RegistryClient` */
export async function fetchSchema(client: SchemaSource, id: number, signal: AbortSignal): Promise<FetchedSchema> {
  const answer = await client.schema(id, signal);
  if (answer.kind === "missing") return { kind: "missing", message: `the registry has no schema ${id}` };
  const referenced: RegisteredSchema["referenced"][number][] = [];
  const seen = new Set<string>();

  /** The first reference that leads nowhere, if there is one. */
  const follow = async ({ references }: SchemaText): Promise<SchemaReference | undefined> => {
    for (const reference of references) {
      const place = JSON.stringify([reference.subject, reference.version]);
      if (seen.has(place)) continue;
      seen.add(place);
      if (seen.size > MOST_REFERENCES) return reference;
      const found: Answer<SchemaText> = await client.version(reference, signal);
      if (found.kind === "missing") return reference;
      const lost = await follow(found.value);
      if (lost !== undefined) return lost;
      referenced.push({ ...found.value, name: reference.name });
    }
    return undefined;
  };

  const lost = await follow(answer.value);
  if (lost === undefined) return { kind: "found", schema: { ...answer.value, referenced } };
  return {
    kind: "missing",
    message: `schema ${id} refers to version ${lost.version} of ${lost.subject}, which isn't there`,
  };
}

export type SchemaSource = Pick<RegistryClient, "schema" | "version">;
