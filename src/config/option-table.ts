import type { Option, OptionWithDefault } from "./option.ts";
import { ADVISE_OPTIONS } from "./options/advise.ts";
import { CONSUMER_OPTIONS } from "./options/consumer.ts";
import { DEMO_OPTIONS } from "./options/demo.ts";
import { DLQ_OPTIONS } from "./options/dlq.ts";
import { DYNAMO_OPTIONS } from "./options/dynamo.ts";
import { GENERAL_OPTIONS } from "./options/general.ts";
import { HANDOVER_OPTIONS } from "./options/handover.ts";
import { KAFKA_OPTIONS } from "./options/kafka.ts";
import { LAG_OPTIONS } from "./options/lag.ts";
import { PREFLIGHT_OPTIONS } from "./options/preflight.ts";
import { PRODUCE_OPTIONS } from "./options/produce.ts";
import { REGISTRY_OPTIONS } from "./options/registry.ts";
import { RELAY_OPTIONS } from "./options/relay.ts";
import { SERVER_OPTIONS } from "./options/server.ts";
import { SINK_OPTIONS } from "./options/sink.ts";
import { STEERING_OPTIONS } from "./options/steering.ts";
import { VERIFY_OPTIONS } from "./options/verify.ts";

/** Every option there is, declared once. Flags, variables, YAML keys, help texts and checks all follow from it. */
export const OPTIONS = {
  ...GENERAL_OPTIONS,
  ...KAFKA_OPTIONS,
  ...CONSUMER_OPTIONS,
  ...RELAY_OPTIONS,
  ...STEERING_OPTIONS,
  ...SERVER_OPTIONS,
  ...PREFLIGHT_OPTIONS,
  ...SINK_OPTIONS,
  ...DLQ_OPTIONS,
  ...DYNAMO_OPTIONS,
  ...REGISTRY_OPTIONS,
  ...PRODUCE_OPTIONS,
  ...LAG_OPTIONS,
  ...ADVISE_OPTIONS,
  ...VERIFY_OPTIONS,
  ...HANDOVER_OPTIONS,
  ...DEMO_OPTIONS,
};

export type OptionKey = keyof typeof OPTIONS;

type ValueOf<O> = O extends OptionWithDefault<infer T> ? T : O extends Option<infer T> ? T | undefined : never;

/** What each option is set to. One without a default may be undefined. */
export type Values = { readonly [K in OptionKey]: ValueOf<(typeof OPTIONS)[K]> };

export const OPTION_KEYS = Object.keys(OPTIONS) as OptionKey[];

/** A row without its type of value, for code that treats all rows alike. */
export function optionOf(key: OptionKey): Option<unknown> {
  return OPTIONS[key];
}

/** Variables that are no options, but ours. */
export const CONFIG_FILE_VARIABLE = "SPILLWAY_CONFIG";
const OTHER_VARIABLES = [CONFIG_FILE_VARIABLE, "SPILLWAY_SERVICES_DIR"];

/** The variable that names the file to read a secret from. */
export function fileVariable(option: Option<unknown>): string | undefined {
  return option.secret === undefined ? undefined : `${option.env}_FILE`;
}

/** How to give an option, in words for messages. */
export function waysToSet(key: OptionKey): string {
  const option = optionOf(key);
  const ways = [option.flag, option.env, fileVariable(option)].filter((way) => way !== undefined);
  return `${ways.join(", ")} or ${key} in a --config file`;
}

/** Every variable that means something. */
export function knownVariables(): Set<string> {
  const ofOptions = OPTION_KEYS.map(optionOf).flatMap((option) => [option.env, fileVariable(option) ?? option.env]);
  return new Set([...OTHER_VARIABLES, ...ofOptions]);
}
