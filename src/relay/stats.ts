/** What the relay has done since it began. The relay counts, others read. */
export interface RelayStats {
  recordsRead: number;
  recordsWritten: number;
  bytesWritten: number;
  /** Records that a rule told to drop; one that is read again after a failure counts again. */
  recordsDropped: number;
  /** Committed; 0 where the guarantee needs none. */
  transactions: number;
  /** Record batches that could not be read, sent to the dead-letter topic. */
  batchesDeadLettered: number;
  /** Offsets that retention took before they were read, or that `offset-reset` passed over. */
  offsetsLost: number;
  /** Shares begun anew after a failure that left nothing behind: an aborted transaction, say. */
  deliveryFailures: number;
  /** Generations of the group that were joined. */
  rebalances: number;
  readonly startedAt: number;
}

export function newRelayStats(): RelayStats {
  return {
    recordsRead: 0,
    recordsWritten: 0,
    bytesWritten: 0,
    recordsDropped: 0,
    transactions: 0,
    batchesDeadLettered: 0,
    offsetsLost: 0,
    deliveryFailures: 0,
    rebalances: 0,
    startedAt: Date.now(),
  };
}
