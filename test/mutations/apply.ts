import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Mutation } from "./mutations.ts";

const ROOT = resolve(import.meta.dirname, "../..");

export function patchOf({ name }: Mutation): string {
  return join(import.meta.dirname, `${name}.patch`);
}

/** A copy of source and tests with a bug put in, or without one. Removed at the end of its scope. */
export class Copy implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), "spillway-mutation-"));

  constructor(mutation?: Mutation) {
    for (const part of ["src", "test", "services", "package.json", "tsconfig.json"]) {
      cpSync(join(ROOT, part), join(this.directory, part), { recursive: true });
    }
    symlinkSync(join(ROOT, "node_modules"), join(this.directory, "node_modules"));
    if (mutation !== undefined) this.#git(["apply", patchOf(mutation)]);
  }

  #git(args: readonly string[]): void {
    execFileSync("git", args, { cwd: this.directory, stdio: "pipe" });
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true });
  }
}

/** True if the patch fits the source as it is now. */
export function applies(mutation: Mutation): boolean {
  try {
    execFileSync("git", ["apply", "--check", patchOf(mutation)], { cwd: ROOT, stdio: "pipe" });
    return true;
  } catch {
    return false;
  }
}
