import type { Facts } from "../facts.ts";
import { type Finding, finding } from "../finding.ts";
import type { Sample, TargetSample } from "../sample.ts";
import { count, percent } from "../words.ts";
import type { Check } from "./check.ts";

/** Fewer records tell little about shares. */
const ENOUGH_RECORDS = 100;
/** A partition with so many times its even share is worth a word. */
const UNEVEN = 2;
/** Chance alone puts no more than so many standard deviations above the mean into one of many partitions. */
const DEVIATIONS = 4;
/** Below it a few records of another time or producer are no reason to warn. */
const MISPLACED_WARNING = 0.01;
/** Nearly all, since some fit by chance and some don't. */
const CLEARLY = 0.95;

/** Records without a key, hot keys and what they do to the targets, and whether producers agree on the partitioner. */
export const checkKeys: Check = ({ sample, source, targets }) => {
  if (sample.kind === "unknown" || sample.value.records === 0) return [];
  const { value } = sample;
  return [
    ...keyless(value),
    ...(source.partitions.length > 1 ? parity(value, source.partitions.length) : []),
    ...targets.flatMap((target) => spread(target, value.targets.get(target.topic))),
  ];
};

function keyless({ keylessWeight, weight, records }: Sample): readonly Finding[] {
  if (keylessWeight === 0) return [];
  const share = keylessWeight / weight;
  return [
    finding("info", "KEYLESS_RECORDS", {
      what: `${percent(share)} of the records have no key`,
      why: "they have no order to keep: they fill the partitions of the target in turn, batch by batch",
      action: "give them a key if somebody needs their order, at the producer or by `keyed by` in a rule",
      context: { share, sampled: records },
    }),
  ];
}

function parity({ keys }: Sample, partitions: number): readonly Finding[] {
  const findings: Finding[] = [];
  if (keys.inSeveralPartitions > 0) {
    findings.push(
      finding("warning", "KEYS_IN_SEVERAL_PARTITIONS", {
        what: `${count(keys.inSeveralPartitions)} of ${count(keys.distinct)} keys lie in more than one partition of the source`,
        why: "their order is lost already: the relay reads partitions side by side and can't bring it back",
        action: "let all producers use one partitioner, and don't change the number of partitions of a topic with keys",
        context: { keys: keys.inSeveralPartitions, distinctKeys: keys.distinct, isCut: keys.isCut },
      }),
    );
  }
  if (keys.misplaced === 0) return findings;
  const share = keys.misplaced / keys.records;
  const [other] = Object.entries(keys.elsewhere).toSorted(([, a], [, b]) => b - a);
  const isOther = other !== undefined && other[1] >= CLEARLY * keys.misplaced;
  const because = isOther ? `; they lie where ${other[0]} puts them` : "";
  findings.push(
    finding(share >= MISPLACED_WARNING ? "warning" : "info", "PARTITIONER_DIFFERS", {
      what: `${percent(share)} of the records with a key are not in the partition that Kafka's own partitioner (murmur2) chooses of ${partitions}${because}`,
      why: "producers use another partitioner, or the number of partitions was changed. The relay uses murmur2: the order of a key holds from one source partition on, but whoever else writes to the target, or looks for a key in a certain partition, must do the same",
      action: isOther
        ? "let other producers that write to the target use murmur2 too (librdkafka: partitioner=murmur2_random)"
        : "find out which, and let other producers that write to the target use Kafka's own partitioner",
      context: {
        share,
        misplaced: keys.misplaced,
        records: keys.records,
        ...(isOther ? { partitioner: other[0] } : {}),
      },
    }),
  );
  return findings;
}

function spread(target: Facts["targets"][number], sample: TargetSample | undefined): readonly Finding[] {
  const { topic, partitions } = target;
  const keyed = sample === undefined ? 0 : sample.records - sample.keylessRecords;
  if (sample === undefined || partitions === 1 || keyed < ENOUGH_RECORDS) return [];
  const findings: Finding[] = [];
  const { hotKeys, weight, distinctKeys, keylessWeight } = sample;
  const keylessShare = keylessWeight / weight / partitions;
  const shares = sample.partitions.map((partition) => partition.weight / weight + keylessShare);
  const fullest = shares.indexOf(Math.max(...shares));
  const share = shares[fullest] ?? 0;
  const times = share * partitions;
  const evenRecords = sample.records / partitions;
  const inFullest = (sample.partitions[fullest]?.records ?? 0) + sample.keylessRecords / partitions;
  const isByChance = inFullest < UNEVEN * evenRecords + DEVIATIONS * Math.sqrt(evenRecords);
  const context = { topic, partition: fullest, share, even: 1 / partitions, times };
  const imbalance = `The fullest of ${partitions} partitions of ${topic} would get ${percent(share)} of the records, ${times.toFixed(1)} times an even share`;
  const why = "whoever reads that partition works that much longer than the others, and more partitions don't help";
  const hot = hotKeys.filter((key) => (key.weight / weight) * partitions >= UNEVEN);
  if (keylessWeight === 0 && distinctKeys < partitions) {
    findings.push(
      finding("warning", "FEWER_KEYS_THAN_PARTITIONS", {
        what: `The sample has ${count(distinctKeys)} keys for ${partitions} partitions of ${topic}`,
        why: "a key lies in one partition: the others stay empty, and their readers idle",
        action: "take fewer partitions, or a key that tells more records apart (`keyed by` in a rule)",
        context: { ...context, keys: distinctKeys },
      }),
    );
  }
  if (isByChance || times < UNEVEN) return findings;
  if (hot.length === 0) {
    findings.push(
      finding("info", "UNEVEN_PARTITIONS", {
        what: imbalance,
        why,
        action: "take another number of partitions, or live with it: no single key is the reason",
        context,
      }),
    );
    return findings;
  }
  const [first] = hot;
  findings.push(
    finding("warning", "HOT_KEYS", {
      what: `${hot.length === 1 ? "One key has" : `${hot.length} keys have`} more than twice a partition's even share of ${topic}, the first ${percent((first?.weight ?? 0) / weight)} of all. ${imbalance}`,
      why,
      action: "divert these keys to a topic of their own (`key = …`), or give their records a finer key",
      context: { ...context, keys: hot.map(({ key, weight: of }) => ({ key, share: of / weight })) },
    }),
  );
  return findings;
}
