import type { Check, CheckedOptions } from "./check.ts";
import { DEMO_CHECKS } from "./checks/demo.ts";
import { DLQ_CHECKS } from "./checks/dlq.ts";
import { KAFKA_CHECKS } from "./checks/kafka.ts";
import { LAG_CHECKS } from "./checks/lag.ts";
import { PRODUCE_CHECKS } from "./checks/produce.ts";
import { REGISTRY_CHECKS } from "./checks/registry.ts";
import { RELAY_CHECKS } from "./checks/relay.ts";
import { SINK_CHECKS } from "./checks/sink.ts";

const CHECKS: readonly Check[] = [
  ...KAFKA_CHECKS,
  ...LAG_CHECKS,
  ...RELAY_CHECKS,
  ...SINK_CHECKS,
  ...DLQ_CHECKS,
  ...REGISTRY_CHECKS,
  ...PRODUCE_CHECKS,
  ...DEMO_CHECKS,
];

export interface CrossChecked {
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** Looks at the options of the command, or at all without one. */
export function crossCheck(options: CheckedOptions): CrossChecked {
  const { command } = options;
  const applies = ({ commands }: Check): boolean => command === undefined || commands.includes(command);
  const found = (kind: Check["kind"]): string[] =>
    CHECKS.filter((check) => check.kind === kind && applies(check))
      .flatMap((check) => check.find(options))
      .filter((finding) => finding !== false);
  return { problems: found("problem"), warnings: found("warning") };
}
