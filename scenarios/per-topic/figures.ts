import type { LatencySummary } from "../../src/demo/live-watch.ts";
import type { Verdict } from "../ledger.ts";

export const PER_TOPIC = "consumer-per-topic";

/** One topic with a sink of its own. */
export interface TopicFigures {
  readonly topic: string;
  /** Its sink is the one that dies. */
  readonly dies: boolean;
  readonly before: LatencySummary;
  /** Of messages that were due while that sink was dead, as it was when its time was over. */
  readonly meanwhile: LatencySummary;
  readonly verdict: Verdict;
}

export interface PerTopicFigures {
  readonly database: string;
  readonly deadSeconds: number;
  /** From its sink's second start until nothing of its topic was waiting any more. */
  readonly caughtUpSeconds: number;
  readonly topics: readonly TopicFigures[];
}

/** What `--json` writes of it. */
export interface PerTopicResult {
  readonly scenario: typeof PER_TOPIC;
  readonly ok: boolean;
  readonly deadSeconds: number;
  readonly caughtUpSeconds: number;
  readonly topics: readonly {
    readonly topic: string;
    readonly dies: boolean;
    readonly p99BeforeMs: number;
    readonly p99MeanwhileMs: number;
    readonly waiting: number;
    readonly missing: number;
    readonly duplicates: number;
    readonly orderViolations: number;
  }[];
}

export function perTopicResult(figures: PerTopicFigures): PerTopicResult {
  const { deadSeconds, caughtUpSeconds, topics } = figures;
  return {
    scenario: PER_TOPIC,
    ok: perTopicFaults(figures).length === 0,
    ...{ deadSeconds, caughtUpSeconds },
    topics: topics.map(({ topic, dies, before, meanwhile, verdict }) => ({
      ...{ topic, dies },
      p99BeforeMs: Math.round(before.p99Ms),
      p99MeanwhileMs: Math.round(meanwhile.p99Ms),
      waiting: meanwhile.undelivered,
      missing: verdict.missing,
      duplicates: verdict.duplicates,
      orderViolations: verdict.orderViolations,
    })),
  };
}

/** The check at the end: what is wrong, each in a sentence. */
export function perTopicFaults({ topics }: PerTopicFigures): string[] {
  return topics.flatMap(({ topic, dies, meanwhile, verdict }) => {
    const { missing, duplicates, orderViolations, strangers } = verdict;
    const counts = [
      [missing, "messages are missing"],
      [duplicates, "messages came twice"],
      [orderViolations, "messages were written behind a later one of their key"],
      [strangers, "documents belong to no message"],
    ] as const;
    const faults = counts.flatMap(([count, what]) => (count > 0 ? [`${topic}: ${count} ${what}`] : []));
    const seen = meanwhile.messages - meanwhile.undelivered;
    if (dies && seen > 0) faults.push(`${topic}: ${seen} messages were written, though its sink was dead`);
    if (!dies && seen === 0) faults.push(`${topic}: nothing was written, though its sink lived`);
    return faults;
  });
}

export const PER_TOPIC_HEADINGS = [
  ...["topic", "its sink", "p99 before", "p99 meanwhile", "waiting", "missing", "twice", "out of order"],
] as const;

export function perTopicCells({ topic, dies, before, meanwhile, verdict }: TopicFigures): readonly string[] {
  const ms = (value: number): string => (Number.isNaN(value) ? "–" : `${value.toFixed(0)} ms`);
  return [
    topic,
    dies ? "was killed" : "went on",
    ms(before.p99Ms),
    (meanwhile.undelivered > 0 ? "≥ " : "") + ms(meanwhile.p99Ms),
    `${meanwhile.undelivered} of ${meanwhile.messages}`,
    String(verdict.missing),
    String(verdict.duplicates),
    String(verdict.orderViolations),
  ];
}
