import { MultiBar, Presets, type SingleBar } from "cli-progress";

/** Where the demo writes what it has to say to people. */
export interface Output {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

export interface Gauge {
  readonly name: string;
  readonly total: number;
  /** Where it is now. */
  readonly value: () => number;
}

const LINE_EVERY_MS = 2_000;
const DRAW_EVERY_MS = 250;
/** A rate is that of the last few seconds. */
const RATE_WINDOW_MS = 4_000;

/**
 * Shows how far several gauges have got, with rate and time left: as bars on a terminal, as a line now and then
 * elsewhere. Whoever starts it stops it.
 */
export class Progress implements Disposable {
  readonly #output: Output;
  readonly #meters: readonly Meter[];
  readonly #multiBar: MultiBar | undefined;
  readonly #bars: readonly SingleBar[];
  readonly #timer: NodeJS.Timeout;

  constructor(gauges: readonly Gauge[], output: Output) {
    this.#output = output;
    this.#meters = gauges.map((gauge) => new Meter(gauge));
    this.#multiBar = isTerminal(output) ? new MultiBar(barOptions(output), Presets.shades_classic) : undefined;
    this.#bars = this.#multiBar === undefined ? [] : this.#meters.map((meter) => createBar(this.#multiBar, meter));
    // The rate of the first one shown is since now.
    for (const meter of this.#meters) meter.read(performance.now());
    this.#timer = setInterval(() => this.#show(), this.#multiBar === undefined ? LINE_EVERY_MS : DRAW_EVERY_MS);
  }

  #show(): void {
    const readings = this.#meters.map((meter) => meter.read(performance.now()));
    if (this.#multiBar === undefined) this.#output.write(`  ${readings.map(toText).join("; ")}\n`);
    for (const [index, bar] of this.#bars.entries()) {
      const reading = readings[index];
      if (reading !== undefined) bar.update(reading.value, payloadOf(reading));
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#show();
    this.#multiBar?.stop();
  }
}

export interface Reading {
  readonly name: string;
  readonly value: number;
  readonly total: number;
  readonly perSecond: number;
  /** Unknown while nothing moves. */
  readonly secondsLeft: number | undefined;
}

/** Turns values and times into a rate. */
export class Meter {
  readonly gauge: Gauge;
  #highest = 0;
  readonly #samples: { readonly at: number; readonly value: number }[] = [];

  constructor(gauge: Gauge) {
    this.gauge = gauge;
  }

  read(now: number): Reading {
    const { name, total } = this.gauge;
    // Two counts that are taken a moment apart may differ by less than nothing: progress neither falls nor overshoots.
    this.#highest = Math.max(this.#highest, Math.min(total, this.gauge.value()));
    const value = this.#highest;
    this.#samples.push({ at: now, value });
    // One sample from before the window stays, so that there are always two once there were.
    while ((this.#samples[1]?.at ?? now) < now - RATE_WINDOW_MS) this.#samples.shift();
    const { at, value: before } = this.#samples[0] ?? { at: now, value };
    const perSecond = now > at ? Math.max(0, ((value - before) * 1000) / (now - at)) : 0;
    const left = total - value;
    return {
      name,
      value,
      total,
      perSecond,
      secondsLeft: left === 0 ? 0 : perSecond > 0 ? left / perSecond : undefined,
    };
  }
}

function toText(reading: Reading): string {
  const { name, value, total } = reading;
  const { rate, left } = payloadOf(reading);
  return `${name} ${format(value)} of ${format(total)}, ${rate}${left === "" ? "" : `, ${left}`}`;
}

function payloadOf({ name, perSecond, secondsLeft }: Reading): { name: string; rate: string; left: string } {
  const left = secondsLeft === undefined || secondsLeft === 0 ? "" : `${format(Math.ceil(secondsLeft))} s left`;
  return { name: name.padEnd(9), rate: `${format(Math.round(perSecond))}/s`, left };
}

function createBar(multiBar: MultiBar | undefined, { gauge }: Meter): SingleBar {
  if (multiBar === undefined) throw new TypeError("there are no bars without a terminal");
  return multiBar.create(gauge.total, 0, { name: gauge.name.padEnd(9), rate: "", left: "" });
}

function isTerminal(output: Output): output is NodeJS.WriteStream {
  return output.isTTY === true;
}

function barOptions(stream: NodeJS.WriteStream) {
  return {
    stream,
    format: "  {name} {bar} {percentage}% {value}/{total} {rate} {left}",
    barsize: 30,
    hideCursor: true,
    // Signals are the command's: it stops the bars by disposing of them.
    gracefulExit: false,
  };
}

/** With thousands set apart, as people read numbers. */
export function format(value: number): string {
  return value.toLocaleString("en-US");
}
