import { join } from "node:path";
import { kafkaClasses } from "../../services/kafka/classes.ts";
import { createJava } from "../../services/kafka/java.ts";
import { Reaper } from "../../services/reaper.ts";

/** What a Java program of this folder is run with: nothing but Kafka's jars, no service. */
export interface KafkaJava extends AsyncDisposable {
  /** Deleted in the end. */
  readonly directory: string;
  /** Runs one .java file of this folder and returns what it prints. @throws Error with what it says of its failure */
  run(file: string, args: readonly string[]): Promise<string>;
}

export async function openKafkaJava(log: (line: string) => void): Promise<KafkaJava> {
  const reaper = new Reaper();
  try {
    const java = createJava(await kafkaClasses({ reaper, log, signal: undefined }), reaper);
    return {
      directory: reaper.directory,
      async run(file, args) {
        const { code, stdout, stderr } = await java.runJavaSource(join(import.meta.dirname, file), args, {
          timeoutMs: 180_000,
        });
        if (code !== 0) throw new Error(`${file} ended with ${code}:\n${stderr}`);
        return stdout;
      },
      [Symbol.asyncDispose]: () => reaper.close(),
    };
  } catch (error) {
    await reaper.close();
    throw error;
  }
}
