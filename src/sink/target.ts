/**
 * A target is a database that a sink writes to.
 *
 * Guarantee it must give: an operation whose outcome is `written` or `already-written` is durable in the database as the
 * target's own page says. An insert that is written again, in whole or after an answer was lost, changes nothing, nor does
 * a `latest` that isn't newer than what is there: both yield `already-written`. With `ordered`, operations with the same
 * `orderedBy` take effect in their order, and none behind one that failed; a target may keep those that differ in it in
 * order too. Hence the sink's own: at least once, made effectively once by ids and versions, in the order of each key.
 */
import type { Operation, OperationKind } from "./operations.ts";

/** What became of one operation. */
export type Outcome =
  | { readonly kind: "written" }
  | { readonly kind: "already-written" }
  /** The record is at fault: no retry mends it. */
  | { readonly kind: "data-error"; readonly code: string; readonly message: string }
  /**
   * The database is at fault, or away: the same operation may succeed later. It may also have been done. `isLate` if no
   * answer came in time: fewer operations at once may have one.
   */
  | { readonly kind: "transient"; readonly message: string; readonly isLate?: boolean }
  /** It stood behind one that failed. */
  | { readonly kind: "not-attempted" };

export const WRITTEN: Outcome = { kind: "written" };
export const ALREADY_WRITTEN: Outcome = { kind: "already-written" };
export const NOT_ATTEMPTED: Outcome = { kind: "not-attempted" };

/** Whether the database answers. */
export type Availability = { readonly kind: "available" } | { readonly kind: "away"; readonly message: string };

export interface Target extends AsyncDisposable {
  /** The operations it can do; a sink that needs others doesn't begin. */
  readonly kinds: ReadonlySet<OperationKind>;

  /** Records of a batch at most, whatever the sink is told. No bound where it is left out. */
  readonly mostAtOnce?: number;

  /**
   * Makes what the sink needs there, such as indexes, if it isn't there yet.
   * @throws SpillwayError DATABASE_REFUSED where no retry mends it
   */
  prepare(): Promise<Availability>;

  /**
   * Asks the database whether it would let us in.
   * @throws SpillwayError DATABASE_REFUSED where no retry mends it
   */
  check(): Promise<Availability>;

  /**
   * Tries the operations once, each call within a deadline of the target's own, and yields as many outcomes, in the same
   * order.
   * @param ordered set where operations depend on each other: then one that failed (but `already-written`) is the last of
   *   its `orderedBy` that is attempted
   * @throws SpillwayError DATABASE_REFUSED where the database lets nobody write this: bad credentials, no permission, no
   *   such collection possible
   */
  write(collection: string, operations: readonly Operation[], ordered: boolean): Promise<readonly Outcome[]>;
}
