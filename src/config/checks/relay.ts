import { type Check, type CheckedOptions, type Finding, mustBeBelow, mustNotExceed } from "../check.ts";

export const RELAY_CHECKS: readonly Check[] = [
  { commands: ["relay"], kind: "problem", find: topics },
  { commands: ["relay"], kind: "problem", find: sizes },
];

function topics({ values, name }: CheckedOptions): Finding[] {
  const { "relay.source": source, "relay.target": target } = values;
  const same = source !== undefined && source === target;
  return [same && `${name("relay.target")} is ${target}, as is ${name("relay.source")}: choose another topic`];
}

function sizes(options: CheckedOptions): Finding[] {
  return [
    mustNotExceed(options, "relay.batchBytes", "relay.inFlightBytes"),
    mustBeBelow(options, "relay.drainDeadlineMs", "consumer.rebalanceTimeoutMs"),
    // Otherwise the brokers abort every transaction before it is closed, and nothing is ever relayed.
    mustBeBelow(options, "relay.transactionMs", "relay.transactionTimeoutMs"),
  ];
}
