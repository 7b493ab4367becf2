import { readFileSync } from "node:fs";
import { type Document, isAlias, isMap, isNode, isScalar, LineCounter, type Node, parseDocument } from "yaml";
import { didYouMean } from "./nearest-name.ts";
import { OPTION_KEYS, type OptionKey } from "./option-table.ts";
import type { Found } from "./source.ts";

export interface YamlSettings {
  readonly found: ReadonlyMap<OptionKey, Found>;
  readonly problems: readonly string[];
}

/** Reads the options of a YAML file, as mappings in mappings: `relay: { source: hot }` sets relay.source. */
export function readYamlFile(file: string): YamlSettings {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    return { found: new Map(), problems: [`the configuration file ${file} could not be read (${code})`] };
  }
  return readYaml(file, text);
}

export function readYaml(file: string, text: string): YamlSettings {
  const lines = new LineCounter();
  // Pretty errors quote the text around them, in which a secret may stand; so may the messages themselves.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: "silent" });
  const problems = document.errors.map((error) => {
    const { line, col } = lines.linePos(error.pos[0]);
    return `${file}:${line}:${col}: this is not valid YAML (${error.code})`;
  });
  const found = new Map<OptionKey, Found>();
  if (problems.length > 0) return { found, problems };
  const walk = (node: Node, path: string): void =>
    walkMap(node, path, { document, file, lines, found, problems, walk });
  if (document.contents !== null && !isEmpty(document.contents)) walk(document.contents, "");
  return { found, problems };
}

interface Walk {
  readonly document: Document;
  readonly file: string;
  readonly lines: LineCounter;
  readonly found: Map<OptionKey, Found>;
  readonly problems: string[];
  readonly walk: (node: Node, path: string) => void;
}

function walkMap(node: Node, path: string, walk: Walk): void {
  const { document, file, lines, found, problems } = walk;
  const map = isAlias(node) ? node.resolve(document) : node;
  if (!isMap(map)) {
    const where = `${file}:${lines.linePos(node.range?.[0] ?? 0).line}`;
    problems.push(`${where}: ${path === "" ? "the file" : path} must be a mapping of keys to values`);
    return;
  }
  for (const { key, value } of map.items) {
    const name = isScalar(key) ? String(key.value) : "?";
    const full = path === "" ? name : `${path}.${name}`;
    const line = lines.linePos(isNode(key) ? (key.range?.[0] ?? 0) : 0).line;
    if (!isNode(value) || isEmpty(value)) {
      if (!isOption(full) && !isSection(full)) problems.push(unknownKey(full, file, line));
    } else if (isOption(full)) {
      const read = toPlainValue(value, document);
      if (read.kind === "unreadable") problems.push(`${file}:${line}: the value of ${full} can't be read`);
      else found.set(full, { value: read.value, source: { kind: "file", file, line } });
    } else if (isSection(full)) {
      walk.walk(value, full);
    } else {
      problems.push(unknownKey(full, file, line));
    }
  }
}

type PlainValue = { readonly kind: "read"; readonly value: unknown } | { readonly kind: "unreadable" };

/** An alias to nothing, or too many of them, shows only here; the library's message would quote it. */
function toPlainValue(node: Node, document: Document): PlainValue {
  try {
    return { kind: "read", value: node.toJS(document) };
  } catch {
    return { kind: "unreadable" };
  }
}

/** A key whose value is left blank counts as not set, as an empty variable does. */
function isEmpty(node: Node): boolean {
  return isScalar(node) && (node.value === null || node.value === "");
}

function isOption(path: string): path is OptionKey {
  return (OPTION_KEYS as readonly string[]).includes(path);
}

function isSection(path: string): boolean {
  return OPTION_KEYS.some((key) => key.startsWith(`${path}.`));
}

function unknownKey(path: string, file: string, line: number): string {
  const sections = OPTION_KEYS.flatMap((key) => parents(key));
  return `${file}:${line}: there is no option ${path}${didYouMean(path, [...OPTION_KEYS, ...sections])}`;
}

function parents(key: string): string[] {
  const names = key.split(".").slice(0, -1);
  return names.map((_, index) => names.slice(0, index + 1).join("."));
}
