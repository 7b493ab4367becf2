import { z } from "zod";

/** What values an option takes: how to read them from text or YAML, and in words for messages. */
export interface Kind<T> {
  readonly schema: z.ZodType<T>;
  /** Completes the sentence "allowed: …". */
  readonly allowed: string;
  /** How a flag of this kind looks: a switch has no value, a list may be given several times. */
  readonly shape: "switch" | "single" | "list";
  /** Names the value in a flag's help: --brokers <list>. */
  readonly placeholder: string;
}

export function text(placeholder = "text"): Kind<string> {
  // A YAML scalar such as 42 or true is a fine client id.
  const schema = z.preprocess((value) => (isScalar(value) ? String(value) : value), z.string().min(1));
  return { schema, allowed: "a text that is not empty", shape: "single", placeholder };
}

/** As text, but never made from a number, whose digits YAML may have changed (0123, 1e5). */
export function secretText(): Kind<string> {
  const allowed = "a text that is not empty (in YAML in quotes, if it looks like a number)";
  return { schema: z.string().min(1), allowed, shape: "single", placeholder: "text" };
}

export function file(): Kind<string> {
  return { schema: z.string().min(1), allowed: "the path of a file", shape: "single", placeholder: "file" };
}

export function boolean(): Kind<boolean> {
  const WORDS: Readonly<Record<string, boolean>> = {
    true: true,
    false: false,
    yes: true,
    no: false,
    "1": true,
    "0": false,
  };
  const read = (value: unknown): unknown => (isScalar(value) ? (WORDS[String(value).toLowerCase()] ?? value) : value);
  return { schema: z.preprocess(read, z.boolean()), allowed: "true or false", shape: "switch", placeholder: "" };
}

export function choice<const T extends string>(...values: readonly T[]): Kind<T> {
  return { schema: z.enum(values), allowed: values.join(", "), shape: "single", placeholder: values.join("|") };
}

export function integer(min: number, max: number): Kind<number> {
  const allowed = `a whole number from ${min} to ${max}`;
  return { schema: wholeNumber({}, min, max), allowed, shape: "single", placeholder: "number" };
}

export function decimal(min: number, max: number): Kind<number> {
  const read = (value: unknown): unknown => (isNumeral(value) ? Number(value) : value);
  const schema = z.preprocess(read, z.number().min(min).max(max));
  return { schema, allowed: `a number from ${min} to ${max}`, shape: "single", placeholder: "number" };
}

const BYTES: Units = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

export function bytes(min: number, max: number): Kind<number> {
  const allowed = `a whole number of bytes from ${min} to ${max}, or a size such as 512KiB or 4MiB within that`;
  return { schema: wholeNumber(BYTES, min, max), allowed, shape: "single", placeholder: "bytes" };
}

const MILLISECONDS: Units = { ms: 1, s: 1_000, min: 60_000, h: 3_600_000 };

export function milliseconds(min: number, max: number): Kind<number> {
  const allowed = `a whole number of milliseconds from ${min} to ${max}, or a time such as 500ms, 30s or 5min within that`;
  return { schema: wholeNumber(MILLISECONDS, min, max), allowed, shape: "single", placeholder: "ms" };
}

/** Kafka's own rule for the names of topics. */
const TOPIC = /^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}$/;

export function topicName(): Kind<string> {
  const allowed = "a topic's name: 1 to 249 letters of a-z, A-Z, 0-9, '.', '_' and '-'";
  return { schema: z.string().regex(TOPIC), allowed, shape: "single", placeholder: "topic" };
}

export function topicNames(): Kind<readonly string[]> {
  const { schema, allowed, placeholder } = topicName();
  return {
    schema: z.preprocess(splitAtCommas, z.array(schema).min(1).readonly()),
    allowed: `${allowed}; or several with commas between them`,
    shape: "list",
    placeholder,
  };
}

export function groupNames(): Kind<readonly string[]> {
  const { schema, placeholder } = text("group");
  const allowed = "a consumer group's name, or several with commas between them";
  return {
    schema: z.preprocess(splitAtCommas, z.array(schema).min(1).readonly()),
    allowed,
    shape: "list",
    placeholder,
  };
}

const BROKER = /^(?:[a-zA-Z0-9._-]+|\[[0-9a-fA-F:.]+\]):(\d{1,5})$/;

export function brokers(): Kind<readonly string[]> {
  const isBroker = (value: string): boolean => {
    const port = Number(BROKER.exec(value)?.[1]);
    return port > 0 && port <= 65_535;
  };
  const schema = z.preprocess(splitAtCommas, z.array(z.string().refine(isBroker)).min(1).readonly());
  return { schema, allowed: "host:port, or several with commas between them", shape: "list", placeholder: "host:port" };
}

/** One topic and the collection that its records are written to. */
export interface RouteText {
  readonly topic: string;
  readonly collection: string;
}

export function routes(): Kind<readonly RouteText[]> {
  const route = z.object({ topic: z.string().regex(TOPIC), collection: z.string().regex(COLLECTION) });
  const schema = z.preprocess(
    (value) => (isMapping(value) ? mappingToRoutes(value) : splitAtCommas(value).map(textToRoute)),
    z.array(route).min(1).readonly(),
  );
  const allowed = "topic=collection, or several with commas between them; in YAML a mapping of topics to collections";
  return { schema, allowed, shape: "list", placeholder: "topic=collection" };
}

/** MongoDB's rule, less its own collections; in braces, what a record says. */
const COLLECTION = /^(?!system\.)(?:[^$\0{}]|\{(?:topic|key|value\.[^{}]+)\}){1,120}$/;

export function collectionName(): Kind<string> {
  const allowed =
    "a collection's name: not empty, without $, not beginning with system.; {topic}, {key} and {value.FIELD} in it stand " +
    "for what a record says";
  return { schema: z.string().regex(COLLECTION), allowed, shape: "single", placeholder: "collection" };
}

/** An index of a collection, as `createIndexes` knows it. */
export interface IndexText {
  readonly collection: string;
  readonly fields: readonly (readonly [name: string, direction: 1 | -1])[];
  readonly unique: boolean;
}

/** `prices=symbol+-time`: the flag has commas between indexes. */
export function indexes(): Kind<readonly IndexText[]> {
  const read = z.string().transform((given, context): IndexText => {
    const [, collection, named, unique] = /^([^$\0{}=]+)=([^=!]+)(!?)$/.exec(given) ?? [];
    const fields = named?.split("+").map((field) => /^(-?)([^$\0-][^$\0]*)$/.exec(field));
    if (collection === undefined || fields === undefined || fields.some((field) => field === null)) {
      context.addIssue({ code: "custom", message: "no index" });
      return z.NEVER;
    }
    const parsed = fields.map((field) => [field?.[2] ?? "", field?.[1] === "-" ? -1 : 1] as const);
    return { collection, fields: parsed, unique: unique === "!" };
  });
  return {
    schema: z.preprocess(splitAtCommas, z.array(read).min(1).readonly()),
    allowed:
      "collection=field+field, a - before a field for descending, a ! at the end for unique, commas between several",
    shape: "list",
    placeholder: "collection=fields",
  };
}

export function databaseName(): Kind<string> {
  const allowed = "a database's name: 1 to 63 bytes without any of /\\. \"$*<>:|? or a space";
  return { schema: z.string().regex(/^[^/\\. "$*<>:|?\0]{1,63}$/), allowed, shape: "single", placeholder: "name" };
}

const MONGO_HOSTS = String.raw`(?:[\w.-]+|\[[0-9a-fA-F:.]+\]|%2[fF][\w.%-]+)(?::\d{1,5})?`;
const MONGO_URL = new RegExp(
  String.raw`^mongodb(?:\+srv)?://(?:[^@/?#\s]*@)?${MONGO_HOSTS}(?:,${MONGO_HOSTS})*(?:/[^?\s]*)?(?:\?\S*)?$`,
);

export function mongoUrl(): Kind<string> {
  const allowed = "mongodb://[user:password@]host[:port][,host…][/database][?options], the password percent-encoded";
  return { schema: z.string().regex(MONGO_URL), allowed, shape: "single", placeholder: "url" };
}

/** Without user information: credentials don't belong there. */
export function httpUrl(): Kind<string> {
  const hasNone = ({ username, password }: URL): boolean => username === "" && password === "";
  return webUrl(hasNone, "http://host[:port] or https://host[:port], without credentials");
}

export function httpUrls(): Kind<readonly string[]> {
  const { schema, allowed, placeholder } = httpUrl();
  return {
    schema: z.preprocess(splitAtCommas, z.array(schema).min(1).readonly()),
    allowed: `${allowed}; or several with commas between them`,
    shape: "list",
    placeholder,
  };
}

/** User information may stand in it. */
export function registryUrl(): Kind<string> {
  const isEncoded = ({ username, password }: URL): boolean => !/%(?![0-9a-f]{2})/i.test(username + password);
  return webUrl(isEncoded, "http://[user:password@]host[:port][/path] or https://…, the password percent-encoded");
}

/** Of an OAuth server. Client and secret have options of their own. */
export function tokenUrl(): Kind<string> {
  return webUrl(({ username, password }) => username + password === "", "http://host[:port][/path] or https://…");
}

/** Kafka's own rule for SASL extensions, whose texts may hold what a token does. `auth` is the token's place. */
const EXTENSION = /^(?!auth=)([A-Za-z]+)=([\x20-\x7e]+)$/;

export function extensions(): Kind<Readonly<Record<string, string>>> {
  const pairs = z.array(z.string().regex(EXTENSION)).min(1);
  const schema = z.preprocess(
    (value) =>
      isMapping(value) ? Object.entries(value).map(([name, text]) => `${name}=${text}`) : splitAtCommas(value),
    pairs.transform((given): Readonly<Record<string, string>> => Object.fromEntries(given.map(nameAndText))),
  );
  const allowed = "name=text, or several with commas between them, each name of letters; in YAML a mapping";
  return { schema, allowed, shape: "list", placeholder: "name=text" };
}

function nameAndText(pair: string): readonly [name: string, text: string] {
  const at = pair.indexOf("=");
  return [pair.slice(0, at), pair.slice(at + 1)];
}

function webUrl(hasFitUser: (url: URL) => boolean, allowed: string): Kind<string> {
  const isUrl = (value: string): boolean => {
    const url = URL.parse(value);
    return url !== null && /^https?:$/.test(url.protocol) && url.search === "" && url.hash === "" && hasFitUser(url);
  };
  return { schema: z.string().refine(isUrl), allowed, shape: "single", placeholder: "url" };
}

type Units = Readonly<Record<string, number>>;

function wholeNumber(units: Units, min: number, max: number): z.ZodType<number> {
  return z.preprocess((value) => readQuantity(value, units), z.int().min(min).max(max));
}

/** "4MiB" → 4194304; whatever is no quantity stays as it is, for the schema to refuse. */
function readQuantity(value: unknown, units: Units): unknown {
  if (typeof value !== "string") return value;
  const [, number, unit = ""] = /^(-?\d+(?:_\d{3})*)\s*([a-zA-Z]*)$/.exec(value.trim()) ?? [];
  const factor =
    unit === "" ? 1 : Object.entries(units).find(([name]) => name.toLowerCase() === unit.toLowerCase())?.[1];
  return number === undefined || factor === undefined ? value : Number(number.replaceAll("_", "")) * factor;
}

function isScalar(value: unknown): value is string | number | boolean {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

function isNumeral(value: unknown): boolean {
  return typeof value === "string" && /^-?\d+(\.\d+)?$/.test(value.trim());
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A flag may be given several times, and each time hold several. */
function splitAtCommas(value: unknown): unknown[] {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  return values.flatMap((one) => (typeof one === "string" ? one.split(",").map((part) => part.trim()) : [one]));
}

function textToRoute(value: unknown): unknown {
  if (typeof value !== "string") return isMapping(value) ? value : undefined;
  const at = value.indexOf("=");
  if (at < 0) return undefined;
  return { topic: value.slice(0, at), collection: value.slice(at + 1) };
}

function mappingToRoutes(mapping: Readonly<Record<string, unknown>>): unknown[] {
  return Object.entries(mapping).map(([topic, collection]) => ({ topic, collection }));
}
