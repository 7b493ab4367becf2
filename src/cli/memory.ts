import { setFlagsFromString } from "node:v8";

/**
 * By how much the heap, with the buffers it holds, may grow over what was alive before V8 collects. Measured:
 * - A sink holds records as objects. By V8's own choice it took 414 MiB under a flood, of which a hundred were alive. With
 *   a million records waiting in 24 partitions it took 306 MiB with 40 %, 284 with 25, 252 with 15, which costs 2 to 4 µs
 *   of CPU a document and no speed: 300 MiB are the promise, and one run differs from the next by 20.
 * - A relay holds buffers and hardly an object. With a fifth V8 spent a sixth of the relay's time on collecting little;
 *   with one and a half that falls to 4 %, for some 30 MiB more: `docs/benchmarks.md` has the peaks.
 */
const HEAP_GROWTH_PERCENT = { sink: 15, relay: 150 };

/** V8 reads the setting at every collection, so it may be made while running. */
export function boundHeap(command: keyof typeof HEAP_GROWTH_PERCENT): void {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT[command]}`);
}
