import { writeFile } from "node:fs/promises";

/** For `--json`: the JSON goes to standard output, in place of the table. */
export const STANDARD_OUTPUT = "-";

/** Prints the table, and writes the JSON to the file if there is one; or prints the JSON alone. */
export async function printReport(table: string, json: string, file: string | undefined): Promise<void> {
  process.stdout.write(`${file === STANDARD_OUTPUT ? json : table}\n`);
  if (file !== undefined && file !== STANDARD_OUTPUT) await writeFile(file, `${json}\n`);
}
