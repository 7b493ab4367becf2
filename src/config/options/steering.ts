import { file, integer } from "../kinds.ts";
import { option } from "../option.ts";
import { rateOrOff, yieldBound, yieldGroup } from "../steering-kinds.ts";

const RELAY = ["relay"] as const;
const THROTTLE = ["throttle"] as const;
const MOST = Number.MAX_SAFE_INTEGER;

/** How fast a relay may go, and how it is told while it runs. */
export const STEERING_OPTIONS = {
  "relay.recordsPerSecond": option({
    kind: integer(1, MOST),
    flag: "--records-per-second",
    env: "SPILLWAY_RELAY_RECORDS_PER_SECOND",
    commands: RELAY,
    unit: "records/s",
    description: "how fast to relay at most, all instances together; `spillway throttle` changes it while it runs",
  }),
  "relay.bytesPerSecond": option({
    kind: integer(1, MOST),
    flag: "--bytes-per-second",
    env: "SPILLWAY_RELAY_BYTES_PER_SECOND",
    commands: RELAY,
    description: "the same in bytes as they lie in the hot topic",
  }),
  "relay.yieldTo": option({
    kind: yieldGroup(),
    flag: "--yield-to",
    env: "SPILLWAY_RELAY_YIELD_TO",
    commands: RELAY,
    description: "slow down while this consumer group is too far behind",
  }),
  "relay.yieldLag": option({
    kind: yieldBound(),
    flag: "--yield-lag",
    env: "SPILLWAY_RELAY_YIELD_LAG",
    commands: RELAY,
    description: "how far behind is too far: messages over all partitions, or seconds in any; 10s if it isn't given",
  }),
  "throttle.recordsPerSecond": option({
    kind: rateOrOff(),
    flag: "--records-per-second",
    env: "SPILLWAY_THROTTLE_RECORDS_PER_SECOND",
    commands: THROTTLE,
    description: "the new limit; off takes it away",
  }),
  "throttle.bytesPerSecond": option({
    kind: rateOrOff(),
    flag: "--bytes-per-second",
    env: "SPILLWAY_THROTTLE_BYTES_PER_SECOND",
    commands: THROTTLE,
    description: "the new limit; off takes it away",
  }),
  "status.json": option({
    kind: file(),
    flag: "--json",
    env: "SPILLWAY_STATUS_JSON",
    commands: ["status"],
    description: "write it to this file as JSON, too",
  }),
};
