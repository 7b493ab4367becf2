/**
 * The inner module of @kafkajs/confluent-schema-registry 4.1.0 that parses schemas, declared with what is used of it: its
 * own declarations hide the reflection that values are read by. The version is pinned exactly for that reason.
 */
declare module "@kafkajs/confluent-schema-registry/dist/schemaTypeResolver.js" {
  interface Schema {
    readonly type: string;
    readonly schema: string;
  }

  interface Avro {
    readonly name?: string;
    readonly typeName: string;
    toBuffer(value: unknown): Buffer;
  }

  interface JsonSchema {
    /** False for a value that doesn't fit, each fault of which the hook was told. Without a hook always true. */
    isValid(
      value: unknown,
      options: { readonly errorHook: (path: readonly string[], message: unknown) => void },
    ): boolean;
  }

  interface ProtoSchema {
    readonly message: import("../protobuf/protobuf-type.ts").ProtobufMessage;
  }

  /** @throws Error for a schema that can't be parsed */
  export function schemaFromConfluentSchema(
    schema: Schema & { readonly type: "AVRO" },
    options: { readonly AVRO: { readonly referencedSchemas: readonly Schema[] } },
  ): Avro;
  export function schemaFromConfluentSchema(
    schema: Schema & { readonly type: "JSON" },
    options: {
      readonly JSON: {
        readonly referencedSchemas: readonly Schema[];
        readonly strict: false;
        readonly validateFormats: false;
        readonly logger: false;
      };
    },
  ): JsonSchema;
  export function schemaFromConfluentSchema(
    schema: Schema & { readonly type: "PROTOBUF" },
    options: { readonly PROTOBUF: { readonly messageName: string; readonly referencedSchemas: readonly Schema[] } },
  ): ProtoSchema;
}
