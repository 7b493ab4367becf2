import { parseRule } from "../config/rules.ts";
import { SpillwayError } from "../errors.ts";
import { kafkaOptionsOf, logOf } from "../kafka/kafkajs-config.ts";
import { preflight } from "../preflight/preflight.ts";
import type { PreflightReport } from "../preflight/report.ts";
import { relayGroupOf } from "../relay/group-name.ts";
import { RELAY_DEFAULTS, type RelayOptions } from "../relay/options.ts";
import { Pace } from "../relay/pace.ts";
import { Progress } from "../relay/progress.ts";
import { runRelay } from "../relay/relay.ts";
import type { JobReport } from "../relay/report.ts";
import type { Rule } from "../relay/routing.ts";
import { changeSettings, type Settings } from "../relay/settings.ts";
import { newRelayStats } from "../relay/stats.ts";
import { type RelayStatus, relayStatus } from "../relay/status.ts";
import { Running } from "../runtime/running.ts";
import { withoutUndefined } from "../runtime/without-undefined.ts";
import { checkGiven, fetchGiven, inSection } from "./given.ts";
import { type Common, type MemberOptions, memberOf } from "./options.ts";

/** What a relay is told; what is left out is as `spillway relay` has it. */
export interface RelayConfig
  extends Common,
    Pick<RelayOptions, "source" | "target">,
    Partial<Omit<RelayOptions, "kafka" | "group" | "source" | "target" | "rules">> {
  /**
   * Which records go elsewhere, or nowhere: the first that fits counts. As text they are those of the command:
   * `header backfill -> prices.backfill/24`, `key ^= test- -> drop`.
   */
  readonly rules?: readonly (Rule | string)[];
  /** The consumer group whose offsets say how far it is: `spillway-relay-<source>` unless told. */
  readonly group?: string;
  readonly consumer?: MemberOptions;
}

/** One instance of a relay. It closes itself when it has ended; leaving the scope of `await using` stops it in order. */
export interface Relay extends AsyncDisposable {
  /**
   * Relays until the signal is aborted, `stop` is called, or the end given by `until` is reached; resolves once what was
   * read is written and committed and the group is left, with the report of a job that has come to its end. Starts once.
   * @throws SpillwayError TOPIC_MISSING, TOPIC_MISMATCH, TOPIC_RECREATED, OFFSET_OUT_OF_RANGE, BATCH_CORRUPT,
   *   RECORD_TOO_LARGE, NOT_AUTHORIZED, AUTHENTICATION_FAILED, BROKER_UNREACHABLE (at the start only: later on brokers are
   *   waited for), FENCED, GROUP_ACTIVE and GROUP_MISMATCH (with `from`), CONFIG_INVALID
   */
  run(): Promise<JobReport | undefined>;
  /** Stops it in order; resolves once `run` has. Takes `drainDeadlineMs` at most, and what leaving the group takes. */
  stop(): Promise<void>;
  /** What stands against it, before it runs. Changes nothing. @throws SpillwayError as `run`, for what keeps it from looking */
  preflight(): Promise<PreflightReport>;
  /** What this instance is doing. */
  status(): RelayStatus;
  /**
   * Tells all its instances how fast to go, or to pause, by the control topic: it holds over restarts until something
   * else is said. Resolves with what holds from now on. @throws SpillwayError NOT_AUTHORIZED, BROKER_UNREACHABLE, TIMEOUT
   */
  change(settings: Settings): Promise<Settings>;
}

/**
 * A relay from a hot topic into others.
 *
 * Guarantee: no record is lost, the order of a key holds within each route, and for readers of committed records each
 * record is there exactly once (`guarantee: "exactly-once"`, the default), or at least once. Nothing is opened before
 * `run`, nothing is left open after it, and no signal handler, environment variable or exit of the process is involved.
 * @throws SpillwayError CONFIG_INVALID, which names every problem of the options
 */
export function createRelay(config: RelayConfig): Relay {
  const { kafka, signal, log: given, group: name, consumer, rules, ...own } = config;
  const { source, fetch, writer, limits, replicationFactor } = own;
  checkGiven({
    ...inSection("relay", { ...own, ...limits, ...writer }),
    // Kafka's own way to say "the brokers' default".
    "relay.replicationFactor": replicationFactor === -1 ? undefined : replicationFactor,
    ...inSection("consumer", consumer),
    ...fetchGiven(fetch),
  });
  const group = memberOf(name ?? relayGroupOf(source), consumer);
  const options: RelayOptions = {
    ...RELAY_DEFAULTS,
    ...withoutUndefined(own),
    ...{ source, target: own.target, kafka: kafkaOptionsOf(kafka), group },
    ...(rules === undefined ? {} : { rules: rules.map(ruleOf) }),
  };
  const log = logOf(kafka, given);
  const [pace, progress, stats] = [new Pace(), new Progress(), newRelayStats()];
  const watched = { options, pace, progress, stats };
  const running = new Running((stop) => runRelay(options, { signal: stop, log, stats, pace, progress }), signal);
  return {
    run: () => running.run(),
    stop: () => running.stop(),
    preflight: () => preflight(options, { signal: running.signal, log }),
    status: () => relayStatus(watched),
    change: (settings) =>
      changeSettings({ group: group.group, source }, settings, { kafka: options.kafka, log, signal: running.signal }),
    [Symbol.asyncDispose]: () => running.stop(),
  };
}

function ruleOf(rule: Rule | string): Rule {
  const parsed = typeof rule === "string" ? parseRule(rule) : rule;
  if (parsed !== undefined) return parsed;
  throw new SpillwayError("CONFIG_INVALID", `rules: "${rule}" is none`, {
    context: { hint: "Write a condition, -> and topic/partitions or drop: header backfill -> prices.backfill/24" },
  });
}
