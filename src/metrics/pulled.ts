import { Counter, Gauge, type Registry } from "prom-client";

/** Metrics that are read when somebody asks, from what the process counts anyway. */
export interface Reading {
  readonly registry: Registry;
  readonly name: string;
  readonly help: string;
}

/** @param read its value since the process began: it never falls */
export function counter({ registry, name, help }: Reading, read: () => number): void {
  new Counter({
    ...{ name, help, registers: [registry] },
    collect() {
      this.reset();
      this.inc(read());
    },
  });
}

/** One value for each set of labels, all of which are known beforehand. @param read none of them ever falls */
export function counters<Name extends string>(
  { registry, name, help }: Reading,
  labelNames: readonly Name[],
  read: () => Iterable<readonly [labels: Readonly<Record<Name, string>>, value: number]>,
): void {
  new Counter({
    ...{ name, help, registers: [registry], labelNames: [...labelNames] },
    collect() {
      this.reset();
      for (const [labels, value] of read()) this.inc({ ...labels }, value);
    },
  });
}

/** @param read undefined where there is no value at the moment: then none is shown */
export function gauge({ registry, name, help }: Reading, read: () => number | undefined): void {
  new Gauge({
    ...{ name, help, registers: [registry] },
    collect() {
      this.reset();
      const value = read();
      if (value === undefined) this.remove();
      else this.set(value);
    },
  });
}

/** One value for each set of labels. Those that are gone are not shown any more, so there are never more than there are. */
export function gauges<Name extends string>(
  { registry, name, help }: Reading,
  labelNames: readonly Name[],
  read: () => Iterable<readonly [labels: Readonly<Record<Name, string | number>>, value: number]>,
): void {
  new Gauge({
    ...{ name, help, registers: [registry], labelNames: [...labelNames] },
    collect() {
      this.reset();
      for (const [labels, value] of read()) this.set({ ...labels }, value);
    },
  });
}

export interface OfPartition {
  readonly topic: string;
  readonly partition: number;
  readonly value: number;
}

/** One value for each partition. */
export function partitionGauge(reading: Reading, read: () => readonly OfPartition[]): void {
  gauges(reading, ["topic", "partition"], () =>
    read().map(({ topic, partition, value }) => [{ topic, partition }, value] as const),
  );
}
