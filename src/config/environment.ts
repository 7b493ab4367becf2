import { readFileSync } from "node:fs";
import { didYouMean } from "./nearest-name.ts";
import { fileVariable, knownVariables, OPTION_KEYS, type OptionKey, optionOf } from "./option-table.ts";
import type { Found } from "./source.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** The one place where the process's environment is read. */
export function processEnvironment(): Environment {
  return process.env;
}

export interface EnvironmentSettings {
  readonly found: ReadonlyMap<OptionKey, Found>;
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** An empty variable counts as not set: compose files and shells set them so. */
export function readEnvironment(environment: Environment): EnvironmentSettings {
  const found = new Map<OptionKey, Found>();
  const problems: string[] = [];
  for (const key of OPTION_KEYS) {
    const option = optionOf(key);
    const value = environment[option.env] ?? "";
    const secretFileVariable = fileVariable(option);
    const secretFile = secretFileVariable === undefined ? "" : (environment[secretFileVariable] ?? "");
    if (value !== "" && secretFile !== "") {
      problems.push(`${key} is set twice, by ${option.env} and ${secretFileVariable}; keep one of them`);
    } else if (value !== "") {
      found.set(key, { value, source: { kind: "environment", variable: option.env } });
    } else if (secretFileVariable !== undefined && secretFile !== "") {
      const secret = readSecretFile(secretFile);
      if (secret.kind === "unreadable") {
        problems.push(`${key}: the file ${secretFile} (${secretFileVariable}) could not be read (${secret.code})`);
      } else {
        found.set(key, { value: secret.text, source: { kind: "environment", variable: secretFileVariable } });
      }
    }
  }
  return { found, problems, warnings: unknownVariables(environment) };
}

type SecretFile =
  | { readonly kind: "read"; readonly text: string }
  | { readonly kind: "unreadable"; readonly code: string };

/** Less the line end that editors and `echo` put behind it. */
function readSecretFile(file: string): SecretFile {
  try {
    return { kind: "read", text: readFileSync(file, "utf8").replace(/\r?\n$/, "") };
  } catch (error) {
    return { kind: "unreadable", code: error instanceof Error && "code" in error ? String(error.code) : "unknown" };
  }
}

/** Warnings and not errors: Kubernetes sets variables such as SPILLWAY_PORT for a service named spillway. */
function unknownVariables(environment: Environment): string[] {
  const known = knownVariables();
  const unknown = Object.keys(environment).filter(
    (name) => name.startsWith("SPILLWAY_") && !name.startsWith("SPILLWAY_TEST_") && !known.has(name),
  );
  return unknown.sort().map((name) => `the environment variable ${name} means nothing${didYouMean(name, known)}`);
}
