import { type Setting, type SinkName, type SinkRow, settingKey } from "./result.ts";

/** What was aimed at, and what came of it. */
export interface Reached {
  readonly aim: string;
  readonly figure: string;
  readonly isReached: boolean;
}

const MOST_RSS_MIB = 300;
/** What the second account's service does: three consumers, one write of 180 ms each. */
const ACCOUNT_PER_SECOND = 16.5;

/** Of the rows that a run has: aims whose rows weren't run are left out. */
export function reached(rows: readonly SinkRow[]): Reached[] {
  const ours = rows.filter(({ name }) => name === "spillway");
  const plain = ours.filter(({ target, model, partitions, keys }) => {
    return target === "mongodb" && model === "insert" && partitions === 3 && keys > partitions;
  });
  const at = (latencyMs: number) => plain.find((row) => row.latencyMs === latencyMs);
  const found: Reached[] = [];
  for (const row of plain) {
    const peer = beside(rows, row, "mongo-kafka-connect");
    if (peer === undefined) continue;
    const faster = row.docsPerSecond / peer.docsPerSecond;
    const cpu = row.cpuMicrosPerDoc / peer.cpuMicrosPerDoc;
    found.push(
      aim(`${row.latencyMs} ms: at least 2 × the connector's documents per second`, times(faster), faster >= 2),
      aim(`${row.latencyMs} ms: at most half its CPU per document`, percent(cpu), cpu <= 0.5),
    );
  }
  const [near, far] = [at(0), at(100)];
  if (near !== undefined && far !== undefined) {
    const kept = far.docsPerSecond / near.docsPerSecond;
    found.push(aim("at 100 ms at least 80 % of the rate at 0 ms", percent(kept), kept >= 0.8));
  }
  const before = far === undefined ? undefined : beside(rows, far, "kafkajs-insert-one");
  if (far !== undefined && before !== undefined) {
    const faster = far.docsPerSecond / before.docsPerSecond;
    found.push(aim("at 100 ms at least 500 × one insert at a time", times(faster), faster >= 500));
  }
  const dynamo = ours.find(({ target, model }) => target === "dynamodb" && model === "insert");
  if (dynamo !== undefined) {
    const faster = dynamo.docsPerSecond / ACCOUNT_PER_SECOND;
    const what = `DynamoDB at ${dynamo.latencyMs} ms: at least 100 × the ${ACCOUNT_PER_SECOND} messages a second of the account`;
    found.push(aim(what, times(faster), faster >= 100));
  }
  if (ours.length > 0) {
    const most = Math.max(...ours.map(({ peakRssMiB }) => peakRssMiB));
    found.push(aim(`at most ${MOST_RSS_MIB} MiB in every row`, `${most.toFixed(0)} MiB`, most <= MOST_RSS_MIB));
  }
  return found;
}

/** The row of another in the same setting. */
export function beside(rows: readonly SinkRow[], setting: Setting, name: SinkName): SinkRow | undefined {
  return rows.find((row) => row.name === name && settingKey(row) === settingKey(setting));
}

function aim(what: string, figure: string, isReached: boolean): Reached {
  return { aim: what, figure, isReached };
}

function times(ratio: number): string {
  return `${ratio.toFixed(ratio < 10 ? 2 : 0)} ×`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}
