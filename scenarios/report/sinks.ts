import { ladderOf, ladderPace } from "../ladder/catalog.ts";
import { assumptions, LADDER_HEADINGS, type LadderFigures, ladderCells, ladderFaults } from "../ladder/figures.ts";
import {
  PER_TOPIC,
  PER_TOPIC_HEADINGS,
  type PerTopicFigures,
  perTopicCells,
  perTopicFaults,
} from "../per-topic/figures.ts";
import { escaped } from "./curves.ts";
import { row, table } from "./rows.ts";

interface SinkReport {
  readonly ladders: readonly LadderFigures[];
  readonly perTopic?: PerTopicFigures;
  readonly pace: { readonly isFull: boolean };
}

/** Of the page: the ladders, and what a dead sink did to the others. */
export function sinkSections({ ladders, perTopic }: SinkReport): string[] {
  return [...ladders.flatMap(ladderSection), ...(perTopic === undefined ? [] : perTopicSection(perTopic))];
}

export function sinkFaults({ ladders, perTopic, pace }: SinkReport): string[] {
  return [
    ...ladders.flatMap((one) => ladderFaults(one, ladderPace(pace.isFull)).map((fault) => `${one.ladder}: ${fault}`)),
    ...(perTopic === undefined ? [] : perTopicFaults(perTopic).map((fault) => `${PER_TOPIC}: ${fault}`)),
  ];
}

function ladderSection(figures: LadderFigures): string[] {
  const rows = figures.rungs.map((one) => row(ladderCells(one, figures.isInOrder), "td"));
  return [
    `<h2>${escaped(ladderOf(figures.ladder).title)}</h2>`,
    `<p>${escaped(`Messages a second, counted in the database: ${figures.database}.`)}</p>`,
    table(row(LADDER_HEADINGS, "th"), rows),
    `<ul>${assumptions(figures)
      .map((line) => `<li>${escaped(line)}</li>`)
      .join("")}</ul>`,
  ];
}

function perTopicSection({ topics, deadSeconds, caughtUpSeconds, database }: PerTopicFigures): string[] {
  return [
    "<h2>A sink for each topic, one of which dies</h2>",
    `<p>${escaped(`Dead for ${deadSeconds} s; ${caughtUpSeconds} s after its second start nothing was waiting. Database: ${database}.`)}</p>`,
    table(
      row(PER_TOPIC_HEADINGS, "th"),
      topics.map((one) => row(perTopicCells(one), "td")),
    ),
  ];
}
