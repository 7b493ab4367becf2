import type { Values } from "../config/option-table.ts";
import { required } from "../config/required.ts";
import type { RegistryAuth, RegistryOptions } from "../decode/registry/client.ts";

/** Where the schema registry is, of the options of the command; a user in the URL is taken out of it. */
export function registryOptions(values: Values): RegistryOptions {
  const url = new URL(required(values, "registry.url"));
  const auth = authOf(values, url);
  url.username = "";
  url.password = "";
  return { url: url.href, timeoutMs: values["registry.timeoutMs"], ...(auth === undefined ? {} : { auth }) };
}

function authOf(values: Values, url: URL): RegistryAuth | undefined {
  const { "registry.username": username, "registry.password": password, "registry.token": token } = values;
  if (token !== undefined) return { kind: "bearer", token };
  if (username !== undefined && password !== undefined) return { kind: "basic", username, password };
  if (url.username === "") return undefined;
  return { kind: "basic", username: decodeURIComponent(url.username), password: decodeURIComponent(url.password) };
}
