import type { FieldCodec } from "./codec.ts";

/** One request of the protocol in one version. */
export interface Api<Request, Response> {
  readonly name: string;
  readonly key: number;
  readonly version: number;
  readonly request: FieldCodec<Request>;
  readonly response: FieldCodec<Response>;
}

export function api<Q, R>(
  name: string,
  key: number,
  version: number,
  request: FieldCodec<Q>,
  response: FieldCodec<R>,
): Api<Q, R> {
  return { name, key, version, request, response };
}
