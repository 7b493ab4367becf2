/** A schema as the registry holds it. */
export interface SchemaText {
  /** As the registry calls it: AVRO, JSON, PROTOBUF, or one that nobody here knows. */
  readonly type: string;
  readonly schema: string;
  readonly references: readonly SchemaReference[];
}

export interface SchemaReference {
  /** By which the schema refers to it. */
  readonly name: string;
  readonly subject: string;
  readonly version: number;
}

/** With all that it refers to, each behind what it refers to itself. */
export interface RegisteredSchema extends SchemaText {
  readonly referenced: readonly (SchemaText & { readonly name: string })[];
}
