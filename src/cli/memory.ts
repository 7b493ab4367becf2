import { setFlagsFromString } from "node:v8";

/**
 * By how much the heap, with the buffers it holds, may grow over what was alive before V8 collects. Measured:
 * - A sink holds records as objects. By V8's own choice it took 414 MiB under a flood, of which a hundred were alive. Of
 *   a document's CPU (insert of JSON) it takes 19 µs and 224 MiB with two fifths, 14 µs and 292 MiB with as much again:
 *   300 MiB are the promise, and a topic of many partitions takes more than the benchmark's three.
 * - A relay holds buffers and hardly an object. With a fifth V8 spent a sixth of the relay's time on collecting little;
 *   with one and a half that falls to 4 %, for some 30 MiB more: `docs/benchmarks.md` has the peaks.
 */
const HEAP_GROWTH_PERCENT = { sink: 40, relay: 150 };

/** V8 reads the setting at every collection, so it may be made while running. */
export function boundHeap(command: keyof typeof HEAP_GROWTH_PERCENT): void {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT[command]}`);
}
