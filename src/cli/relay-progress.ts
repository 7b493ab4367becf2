import { MultiBar, Presets, type SingleBar } from "cli-progress";
import type { Logger } from "pino";
import type { PartitionProgress, Progress } from "../relay/progress.ts";

const DRAW_EVERY_MS = 500;
const LOG_EVERY_MS = 10_000;

export interface Shown {
  readonly output: NodeJS.WriteStream;
  readonly log: Logger;
}

/** Shows how far a job is, until it is disposed of: a bar for each partition on a terminal, log lines elsewhere. */
export function showProgress(progress: Progress, { output, log }: Shown): Disposable {
  const show = output.isTTY ? onTerminal(progress, output) : inLog(progress, log);
  const timer = setInterval(() => show.draw(), output.isTTY ? DRAW_EVERY_MS : LOG_EVERY_MS);
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
      show.draw();
      show.end();
    },
  };
}

function inLog(progress: Progress, log: Logger) {
  return {
    draw: () => {
      for (const { partition, offset, end, left, perSecond, secondsLeft } of progress.read()) {
        const range = secondsLeft?.map(Math.ceil) ?? null;
        const place = { partition, offset: String(offset), end: String(end), left: String(left) };
        log.info({ ...place, perSecond: Math.round(perSecond), secondsLeft: range }, "progress");
      }
    },
    end: () => {},
  };
}

function onTerminal(progress: Progress, output: NodeJS.WriteStream) {
  const bars = new Map<number, SingleBar>();
  const multiBar = new MultiBar(
    {
      stream: output,
      format: "  partition {partition} {bar} {percentage}% {left} left, {rate}/s{time}",
      barsize: 30,
      hideCursor: true,
      // Signals are the command's: it stops the bars by disposing of them.
      gracefulExit: false,
    },
    Presets.shades_classic,
  );
  const began = new Map<number, bigint>();
  return {
    draw: () => {
      for (const reading of progress.read()) {
        const { partition, offset, end, left, perSecond } = reading;
        const start = began.get(partition) ?? offset;
        began.set(partition, start);
        const total = Math.max(1, Number(end - start));
        const shown = {
          partition: String(partition).padStart(3),
          left: String(left),
          rate: Math.round(perSecond),
          time: rangeOf(reading),
        };
        const bar = bars.get(partition) ?? multiBar.create(total, 0, shown);
        bars.set(partition, bar);
        bar.setTotal(total);
        bar.update(left === 0n ? total : Number(offset - start), shown);
      }
    },
    end: () => multiBar.stop(),
  };
}

export function rangeOf({ secondsLeft }: Pick<PartitionProgress, "secondsLeft">): string {
  if (secondsLeft === undefined) return "";
  const [least, most] = secondsLeft.map(Math.ceil);
  if (most === undefined || most === 0) return "";
  return least === most ? `, ${most} s to go` : `, ${least} to ${most} s to go`;
}
