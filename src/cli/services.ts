import { Command, InvalidArgumentError } from "commander";
import { fromCheckout, importFromCheckout } from "./checkout.ts";
import type { CliContext } from "./context.ts";
import { EXIT } from "./exit-codes.ts";
import { untilStopped } from "./stop-signals.ts";

/** What is used of services/by-hand/by-hand.ts. */
interface ByHand {
  up(options: { print: Print; brokers: 1 | 3; registry: boolean; detach: boolean; signal: AbortSignal }): Promise<void>;
  down(options: { print: Print }): Promise<void>;
  status(options: { print: Print }): Promise<void>;
}

type Print = (line: string) => void;

/** Kafka needs some seconds to stop in order. */
const STOP_DEADLINE_MS = 60_000;

/** `spillway services`: the local Kafka, database and fault proxy of a checkout. */
export function servicesCommand(context: CliContext): Command {
  const command = new Command("services").description("the local Kafka, database and fault proxy of a checkout");
  const up = command
    .command("up")
    .description("start them, and print their addresses")
    .option("--brokers <number>", "how many Kafka brokers: 1 or 3", readBrokers, 1)
    .option("--registry", "a schema registry too", false)
    .option("--foreground", "until Ctrl-C, instead of in the background", false)
    .action(async () => {
      const { createLogger } = await import("./logger.ts");
      const { brokers, registry, foreground } = up.opts<{ brokers: 1 | 3; registry: boolean; foreground: boolean }>();
      await withServices(async (services) => {
        const log = createLogger("warn");
        const done = await untilStopped({ log, deadlineMs: STOP_DEADLINE_MS }, async (signal) => {
          await services.up({ print, brokers, registry, detach: !foreground, signal });
          return true;
        });
        if (done === undefined) context.exitCode = EXIT.interrupted;
      });
    });
  command
    .command("down")
    .description("stop what up started")
    .action(() => withServices((services) => services.down({ print })));
  command
    .command("status")
    .description("say what runs, and where")
    .action(() => withServices((services) => services.status({ print })));
  return command;
}

async function withServices(use: (services: ByHand) => Promise<void>): Promise<void> {
  const services = await importFromCheckout<ByHand>("services/by-hand/by-hand.ts");
  try {
    await use(services);
  } catch (error) {
    throw fromCheckout(error);
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function readBrokers(text: string): 1 | 3 {
  if (text === "1") return 1;
  if (text === "3") return 3;
  throw new InvalidArgumentError("Allowed: 1, 3.");
}
