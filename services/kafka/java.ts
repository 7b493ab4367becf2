import { join } from "node:path";
import { type CommandResult, runCommand } from "../command.ts";
import { javaProgram } from "../prerequisites.ts";
import type { Reaper } from "../reaper.ts";

interface JavaRunOptions {
  readonly stdin?: string;
  /** 60 s unless told. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Options of the virtual machine, instead of those for a quick start; [] for all its defaults. */
  readonly jvm?: readonly string[];
}

/** Runs Java programs that see Kafka's own jars: its tools, and reference clients to check against. */
export interface Java {
  /** Such as org.apache.kafka.tools.consumer.ConsoleConsumer, org.apache.kafka.tools.TopicCommand. */
  runTool(mainClass: string, args: readonly string[], options?: JavaRunOptions): Promise<CommandResult>;
  /** Compiles and runs one .java file. */
  runJavaSource(file: string, args: readonly string[], options?: JavaRunOptions): Promise<CommandResult>;
}

/** Short-lived programs start faster without the optimising compiler. */
const QUICK = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Xmx256m"];

export interface JavaClasses {
  /** Folder of jars. */
  readonly jars: string;
  /** Of parsed classes, see classes.ts. */
  readonly archive: string | undefined;
}

export function kafkaOptions({ jars, archive }: JavaClasses): string[] {
  const logging = join(import.meta.dirname, "log4j2.properties");
  return [
    // A killed machine would leave its performance data in the system's temporary directory.
    "-XX:-UsePerfData",
    ...(archive === undefined ? [] : [`-XX:SharedArchiveFile=${archive}`]),
    `-Dlog4j2.configurationFile=${logging}`,
    "-cp",
    join(jars, "*"),
  ];
}

export function createJava(classes: JavaClasses, reaper: Reaper): Java {
  const run = (what: readonly string[], { stdin, timeoutMs, signal, jvm }: JavaRunOptions): Promise<CommandResult> =>
    runCommand(javaProgram(), [...(jvm ?? QUICK), ...kafkaOptions(classes), ...what], {
      timeoutMs: timeoutMs ?? 60_000,
      reaper,
      stdin,
      signal,
    });
  return {
    runTool: (mainClass, args, options = {}) => run([mainClass, ...args], options),
    runJavaSource: (file, args, options = {}) => run([file, ...args], options),
  };
}
