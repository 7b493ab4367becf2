import type { SinkObserver } from "./observer.ts";

/**
 * Sums since a sink began. The difference of two looks is what happened between them, several sinks add up, and the cost
 * of a write of so many records can be told from them by least squares.
 */
export interface WriteSums {
  /** Attempts to write a batch. */
  writes: number;
  /** Operations of all attempts, and their squares. */
  operations: number;
  operationsSquared: number;
  /** Milliseconds of all attempts, their squares, and each times its operations. */
  ms: number;
  msSquared: number;
  operationsMs: number;
  /** Neighbouring records that have had their outcome, and the milliseconds since they were read. */
  slices: number;
  sliceMs: number;
}

export class WriteMeter implements SinkObserver {
  readonly sums: WriteSums = {
    writes: 0,
    operations: 0,
    operationsSquared: 0,
    ms: 0,
    msSquared: 0,
    operationsMs: 0,
    slices: 0,
    sliceMs: 0,
  };

  wrote(operations: number, milliseconds: number): void {
    const { sums } = this;
    sums.writes++;
    sums.operations += operations;
    sums.operationsSquared += operations * operations;
    sums.ms += milliseconds;
    sums.msSquared += milliseconds * milliseconds;
    sums.operationsMs += operations * milliseconds;
  }

  finished(milliseconds: number): void {
    this.sums.slices++;
    this.sums.sliceMs += milliseconds;
  }

  began(): void {
    // Sums go on over all generations.
  }
}

/** Tells several. */
export function observers(...all: readonly SinkObserver[]): SinkObserver {
  return {
    wrote(operations, milliseconds) {
      for (const one of all) one.wrote(operations, milliseconds);
    },
    finished(milliseconds) {
      for (const one of all) one.finished(milliseconds);
    },
    began(left) {
      for (const one of all) one.began(left);
    },
  };
}
