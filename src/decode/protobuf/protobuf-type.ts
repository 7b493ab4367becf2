/** What is used of the reflection that protobufjs makes of a .proto file, named as it names them. */
export interface ProtobufNamespace {
  readonly name: string;
  readonly parent: ProtobufNamespace | null;
  readonly nested?: Readonly<Record<string, ProtobufObject>>;
  /** Finds every type that a field names. @throws Error where there is none */
  resolveAll(): unknown;
}

export interface ProtobufMessage extends ProtobufNamespace {
  readonly fieldsArray: readonly ProtobufField[];
}

export interface ProtobufEnum {
  readonly valuesById: Readonly<Record<number, string>>;
}

export type ProtobufObject = ProtobufMessage | ProtobufNamespace | ProtobufEnum;

export interface ProtobufField {
  readonly name: string;
  readonly id: number;
  /** A scalar type of Protobuf, or the name of a message or enum. */
  readonly type: string;
  /** Of a map. */
  readonly keyType?: string;
  readonly resolvedType: ProtobufMessage | ProtobufEnum | null;
  readonly repeated: boolean;
  readonly required: boolean;
  readonly map: boolean;
  /** Encoded as a group. */
  readonly delimited: boolean;
  /** Whether being absent differs from having the default value. */
  readonly hasPresence: unknown;
  readonly partOf: { readonly oneof: readonly string[] } | null;
}

export function isMessage(object: ProtobufObject | null | undefined): object is ProtobufMessage {
  return object !== null && object !== undefined && "fieldsArray" in object;
}
