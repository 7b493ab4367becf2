import { type ErrorCode, SpillwayError } from "../errors.ts";

/** The exit codes that no error code stands for. */
export const EXIT = {
  ok: 0,
  unexpected: 1,
  /** Also an unknown command, flag or argument. */
  configuration: 2,
  /** `lag --check`: a group loses data, is stalled, or could not be seen. */
  groupInTrouble: 18,
  /** Not stopped within the deadline after the first signal: what was in flight may be done again. */
  stopTimedOut: 13,
  /** A second signal, or a job, a demo, a hand-back or a word to a relay that was stopped before its end. As a shell reports SIGINT. */
  interrupted: 130,
} as const;

/**
 * What a script can tell from the exit code, by the error that ended the command:
 *
 * | code | meaning |
 * |---|---|
 * | 0 | done; or stopped by SIGTERM or SIGINT with everything flushed and committed, where there is no end to reach |
 * | 1 | unexpected: a bug |
 * | 2 | the configuration or the command line is wrong |
 * | 3 | no broker could be reached |
 * | 4 | the database could not be reached |
 * | 5 | the database refused the writes |
 * | 6 | a topic is missing, was made anew, or isn't as it must be |
 * | 7 | a program that is needed is missing, or too old |
 * | 8 | not logged in, or not allowed |
 * | 9 | records are unaccounted for |
 * | 10 | records could not be read: offsets out of range, a corrupt batch |
 * | 11 | records could not be delivered; or a sink met one that can't be written, and was told to stop there |
 * | 12 | a broker answered what it must not, or too late |
 * | 13 | not stopped in time |
 * | 14 | a consumer group still has members, or its offsets are not what a take-over or hand-back needs |
 * | 15 | a topic that is to be handed back is not drained |
 * | 16 | the preflight found what can't work, or with --strict what deserves a look |
 * | 17 | the schema registry could not be reached, or refused |
 * | 18 | `lag --check`: a group loses data, is stalled, or could not be seen |
 * | 130 | ended at once by a second signal; or a job or a demo that was stopped before its end |
 */
const OF_ERROR: Readonly<Record<ErrorCode, number>> = {
  CONFIG_INVALID: EXIT.configuration,
  BROKER_UNREACHABLE: 3,
  DATABASE_UNREACHABLE: 4,
  DATABASE_REFUSED: 5,
  TOPIC_MISSING: 6,
  TOPIC_RECREATED: 6,
  TOPIC_MISMATCH: 6,
  PREREQUISITE_MISSING: 7,
  AUTHENTICATION_FAILED: 8,
  NOT_AUTHORIZED: 8,
  RECORDS_UNACCOUNTED: 9,
  OFFSET_OUT_OF_RANGE: 10,
  BATCH_CORRUPT: 10,
  RECORD_TOO_LARGE: 11,
  DATA_ERROR: 11,
  TOO_MANY_PARKED_KEYS: 11,
  DELIVERY_FAILED: 11,
  TRANSACTION_FAILED: 11,
  FENCED: 11,
  PROTOCOL: 12,
  TIMEOUT: 12,
  GROUP_ACTIVE: 14,
  GROUP_MISMATCH: 14,
  NOT_DRAINED: 15,
  PREFLIGHT_FAILED: 16,
  REGISTRY_UNREACHABLE: 17,
  REGISTRY_REFUSED: 17,
};

export function exitCodeOf(error: unknown): number {
  return error instanceof SpillwayError ? OF_ERROR[error.code] : EXIT.unexpected;
}
