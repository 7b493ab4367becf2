/** What is used of the types that avsc makes of a schema, named as it names them. */
export interface AvroType {
  /** Of Avro, but for unions: `union:wrapped` or `union:unwrapped`, which is a matter of avsc's own reader. */
  readonly typeName: string;
  /** Of a record or error. */
  readonly fields?: readonly { readonly name: string; readonly type: AvroType }[];
  readonly itemsType?: AvroType;
  readonly valuesType?: AvroType;
  /** Of a union. */
  readonly types?: readonly AvroType[];
  /** Of an enum. */
  readonly symbols?: readonly string[];
  /** Of a fixed. */
  readonly size?: number;
  /** Encodes a value that fits the schema. @throws for any other */
  toBuffer(value: unknown): Buffer;
}
