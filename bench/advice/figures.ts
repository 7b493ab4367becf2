import { setTimeout as pause } from "node:timers/promises";
import { waitUntil } from "../../services/wait-until.ts";
import type { RunningGroup } from "./group.ts";

const FIRST_DOCUMENT_MS = 120_000;
const LOOK_MS = 100;

const SETTLED_LOOKS = 5;

/** Documents that a crash in a flood has written again: those that are there, less what is committed. */
export async function repeatedByCrash(running: RunningGroup, committed: () => Promise<number>): Promise<number> {
  await running.crash();
  let documents = 0;
  // What the database had been given by then it may still be writing.
  for (let same = 0; same < SETTLED_LOOKS; same++) {
    const now = (await running.place.count()).documents;
    if (now !== documents) same = 0;
    documents = now;
    await pause(LOOK_MS);
  }
  return documents - (await committed());
}

/** Documents a second under a flood, counted in the database: for so long from the first ones on, or until all are there. */
export async function floodRate(
  { place }: RunningGroup,
  {
    records,
    warmupSeconds,
    seconds,
  }: { readonly records: number; readonly warmupSeconds: number; readonly seconds: number },
): Promise<number> {
  const first = async () => (await place.count()).documents > 0;
  await waitUntil(first, { timeoutMs: FIRST_DOCUMENT_MS, what: "a document is there", everyMs: 20 });
  await pause(warmupSeconds * 1_000);
  const from = await place.count();
  let to = from;
  while (to.documents < records && to.atMs < from.atMs + seconds * 1_000) {
    await pause(LOOK_MS);
    to = await place.count();
  }
  return ((to.documents - from.documents) * 1_000) / Math.max(1, to.atMs - from.atMs);
}
