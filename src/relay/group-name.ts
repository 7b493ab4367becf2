/** The consumer group of a relay that is told no other: whoever asks where a relay is must have the same. */
export function relayGroupOf(source: string): string {
  return `spillway-relay-${source}`;
}
