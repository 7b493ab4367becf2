import { randomUUID } from "node:crypto";
import { SpillwayError } from "../errors.ts";
import { readControlEntries, writeControl } from "../kafka/control-topic.ts";
import { formatRequest, isOfGroup, type ParkedKeyName, parkedAmong, requestKey } from "./parked-key.ts";
import { idsOfTopics, type LetterContext } from "./read-letters.ts";

export interface ParkedChoice {
  readonly group: string;
  /** Source or dead-letter topics; all if there are none. */
  readonly topics: readonly string[];
  /** All keys without one. */
  readonly key?: Buffer | undefined;
  /** Letters to leave out: `<topic or topic id>-<partition>-<offset>` of their origin or source. */
  readonly without: readonly string[];
  /** Only says which keys it would be asked for. */
  readonly dryRun: boolean;
}

/**
 * Asks the owners of parked keys to redrive them. Whoever has the partitions does it, or will: the request stands in the
 * control topic until then.
 * @returns the keys that it was asked for
 * @throws SpillwayError CONFIG_INVALID if none of them is parked; as `readControl` and `writeControl`
 */
export async function askForRedrive(
  { group, topics, key, without, dryRun }: ParkedChoice,
  context: LetterContext,
): Promise<readonly ParkedKeyName[]> {
  const parked = parkedAmong(await readControlEntries(isOfGroup(group), context)).filter(
    ({ name, state }) =>
      (topics.length === 0 || topics.includes(name.topic) || topics.includes(state.letters.topic)) &&
      (key === undefined || name.key.equals(key)),
  );
  if (parked.length === 0) {
    throw new SpillwayError("CONFIG_INVALID", `Group ${group} has parked no such key`, {
      context: { group, hint: "See spillway dlq list --parked" },
    });
  }
  if (dryRun) return parked.map(({ name }) => name);
  const left = await withIds(without, context);
  for (const { name } of parked) {
    await writeControl(requestKey(name), formatRequest({ id: randomUUID(), without: left }), context);
  }
  return parked.map(({ name }) => name);
}

/** Origins name topics by their ids: what is named by a topic that exists now is meant by its id, too. */
async function withIds(without: readonly string[], context: LetterContext): Promise<readonly string[]> {
  const named = without.map((text) => /^(.+)-(\d+-\d+)$/.exec(text)).filter((match) => match !== null);
  const ids = await idsOfTopics(
    named.map(([, topic = ""]) => topic),
    context,
  );
  const byId = named.flatMap(([, topic = "", place = ""]) => {
    const id = ids.get(topic);
    return id === undefined ? [] : [`${id}-${place}`];
  });
  return [...without, ...byId];
}
