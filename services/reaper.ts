import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ServiceError } from "./errors.ts";

/**
 * Outlives its owner by a moment. It reads the pipe that only the owner holds; when the owner closes it or dies in
 * whatever way, it kills the process groups it was told of and deletes the directory. A shell needs 1 MB for that,
 * where Node would need 40. Groups are looked at until they are gone, so that none of them still writes into the
 * directory; the bound is for zombies, which nobody may ever collect in a container.
 */
const SCRIPT = `
trap '' HUP INT TERM
groups=' '
while read -r verb id; do
  case "$verb" in
    watch) groups="$groups$id " ;;
    forget) case "$groups" in *" $id "*) groups="\${groups%% $id *} \${groups#* $id }" ;; esac ;;
  esac
done
for id in $groups; do kill -s KILL -- "-$id" 2>/dev/null; done
for id in $groups; do
  turns=0
  while kill -s 0 -- "-$id" 2>/dev/null && [ $turns -lt 30 ]; do sleep 0.1; turns=$((turns + 1)); done
done
turns=0
while [ $turns -lt 50 ]; do
  rm -rf -- "$1" 2>/dev/null
  [ -e "$1" ] || exit 0
  sleep 0.1
  turns=$((turns + 1))
done
exit 1
`;

/** Sees to it that no process and no temporary data outlive this process, even if it is killed with SIGKILL. */
export class Reaper implements AsyncDisposable {
  /** Temporary directory, deleted in the end. */
  readonly directory: string;
  readonly #shell: ChildProcess;
  #closed: Promise<void> | undefined;

  constructor() {
    this.directory = mkdtempSync(join(tmpdir(), "spillway-"));
    this.#shell = spawn("/bin/sh", ["-c", SCRIPT, "spillway-reaper", this.directory], {
      stdio: ["pipe", "ignore", "ignore"],
      // A session of its own: Ctrl-C in the terminal must not end it before its owner.
      detached: true,
      env: { PATH: "/usr/bin:/bin:/usr/sbin:/sbin" },
      cwd: "/",
    });
    // Written to after the shell was killed by hand: nothing is lost that the writer could save.
    this.#shell.stdin?.on("error", () => undefined);
    this.#shell.unref();
    (this.#shell.stdin as unknown as { unref(): void }).unref();
  }

  watch(processGroup: number): void {
    this.#shell.stdin?.write(`watch ${processGroup}\n`);
  }

  /** Once a group is gone its number may go to somebody else's processes. */
  forget(processGroup: number): void {
    this.#shell.stdin?.write(`forget ${processGroup}\n`);
  }

  /** Kills what is left, deletes the directory. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const shell = this.#shell;
    shell.stdin?.end();
    if (shell.exitCode === null && shell.signalCode === null) {
      shell.ref();
      await once(shell, "exit", { signal: AbortSignal.timeout(30_000) });
    }
    if (shell.exitCode !== 0) throw new ServiceError(`temporary data was not deleted: ${this.directory}`);
  }
}
