/** For questions that are asked of brokers again until they answer, or it has taken too long. */
export const LIMITS = { backoff: { baseMs: 100, maxMs: 2_000 }, deadlineMs: 30_000 };
