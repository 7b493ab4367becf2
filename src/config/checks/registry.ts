import type { Check, CheckedOptions, Finding } from "../check.ts";

const COMMANDS = ["sink", "prices"] as const;

export const REGISTRY_CHECKS: readonly Check[] = [
  { commands: ["sink"], kind: "problem", find: sinkFormat },
  { commands: ["prices"], kind: "problem", find: priceFormat },
  { commands: COMMANDS, kind: "problem", find: login },
  { commands: COMMANDS, kind: "warning", find: readableLogin },
];

function sinkFormat({ values, isSet, name }: CheckedOptions): Finding[] {
  const { "sink.valueFormat": format, "sink.document": document } = values;
  const isPlain = format === "string" || format === "bytes";
  return [
    format === "registry" &&
      !isSet("registry.url") &&
      `${name("sink.valueFormat")} is registry: say by registry.url where that is`,
    isPlain &&
      document === "value" &&
      `${name("sink.valueFormat")} is ${format}, which can't be a document by itself: set sink.document to envelope`,
  ];
}

function priceFormat({ values, isSet, name }: CheckedOptions): Finding[] {
  const isAvro = values["prices.valueFormat"] === "avro";
  return [
    isAvro &&
      !isSet("registry.url") &&
      `${name("prices.valueFormat")} is avro: say by registry.url where its schema goes`,
  ];
}

function login({ values, isSet, name }: CheckedOptions): Finding[] {
  const [username, password] = [isSet("registry.username"), isSet("registry.password")];
  const ways = [
    (username || password) && "registry.username and registry.password",
    isSet("registry.token") && "registry.token",
    hasUserInfo(values["registry.url"]) && "the user in registry.url",
  ].filter((way) => way !== false);
  return [
    username && !password && `${name("registry.username")} needs registry.password`,
    password && !username && `${name("registry.password")} needs registry.username`,
    ways.length > 1 && `${ways.join(" and ")} are ways to log in to the schema registry: keep one of them`,
  ];
}

function readableLogin({ values, isSet, name }: CheckedOptions): Finding[] {
  const { "registry.url": url } = values;
  const logsIn = isSet("registry.password") || isSet("registry.token") || hasUserInfo(url);
  const isReadable = logsIn && url?.toLowerCase().startsWith("http:") === true;
  return [isReadable && `${name("registry.url")} is http: the password or token goes there readably`];
}

function hasUserInfo(url: string | undefined): boolean {
  return url !== undefined && new URL(url).username !== "";
}
