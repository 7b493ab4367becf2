/** Is told of what a sink does, for histograms. It must not throw, nor wait. */
export interface SinkObserver {
  /** An attempt to write so many operations took so long. */
  wrote(operations: number, milliseconds: number): void;
  /** Neighbouring records have all had their outcome, so long after they were read. */
  finished(milliseconds: number): void;
}
