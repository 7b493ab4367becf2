import { setFlagsFromString } from "node:v8";

const HEAP_GROWTH_PERCENT = 20;

/**
 * On a machine with much memory V8 lets the heap grow to several times what is alive before it collects: measured, 414
 * MiB for a sink under a flood, of which a hundred were alive. With this it collects when the heap has grown by a fifth:
 * under 290 MiB at the same rate. V8 reads the setting at every collection, so it may be made while running.
 */
export function keepHeapSmall(): void {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`);
}
