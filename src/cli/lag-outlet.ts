import { once } from "node:events";
import { open } from "node:fs/promises";
import type { Values } from "../config/option-table.ts";
import type { LagReport } from "../lag/report.ts";
import { bigintsAsText } from "../runtime/bigints-as-text.ts";
import { LagScreen } from "./lag-screen.ts";
import { STANDARD_OUTPUT } from "./print-report.ts";

/** Where the reports of a watch go. */
export interface LagOutlet extends AsyncDisposable {
  write(report: LagReport): Promise<void>;
}

/** A table on a terminal, a line of JSON for each look in a file or elsewhere; nowhere for one that only answers HTTP. */
export async function lagOutlet(values: Values, signal: AbortSignal): Promise<LagOutlet> {
  const output = process.stdout;
  const path = values["lag.json"];
  const isPrinted = path === STANDARD_OUTPUT;
  const file = path === undefined || isPrinted ? undefined : await open(path, "a");
  const screen = values["lag.watch"] && output.isTTY && !isPrinted ? new LagScreen(output) : undefined;
  const hasLines = isPrinted || (values["lag.watch"] && screen === undefined && file === undefined);
  return {
    async write(report) {
      await file?.appendFile(`${lagJson(report)}\n`);
      screen?.draw(report);
      if (hasLines && !output.write(`${lagJson(report)}\n`)) await once(output, "drain", { signal }).catch(() => {});
    },
    async [Symbol.asyncDispose]() {
      screen?.end();
      await file?.close();
    },
  };
}

export function lagJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, asJson, indent);
}

/** Offsets in quotes: they can be more than a number in JavaScript holds. What isn't known is null. */
function asJson(name: string, value: unknown): unknown {
  return bigintsAsText(name, value) ?? null;
}
