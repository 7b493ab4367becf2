import { readdirSync, readFileSync } from "node:fs";

/** What the kernel counts in: USER_HZ, 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** What one line of /proc/PID/stat says. */
export interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  /** Seconds of CPU of all its threads, and of its children that have ended and were waited for. */
  readonly cpuSeconds: number;
}

/** A program's name stands in brackets and may hold brackets and blanks itself: fields count from the last bracket. */
export function parseStat(line: string): ProcessStat {
  const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
  const field = (number: number) => Number(fields[number - 3]);
  const ticks = field(14) + field(15) + field(16) + field(17);
  return { pid: Number.parseInt(line, 10), parent: field(4), cpuSeconds: ticks / TICKS_PER_SECOND };
}

/** The process and all below it. */
export function treeOf(root: number, processes: readonly ProcessStat[]): ProcessStat[] {
  const children = Map.groupBy(processes, ({ parent }) => parent);
  const tree = processes.filter(({ pid }) => pid === root);
  for (const { pid } of tree) tree.push(...(children.get(pid) ?? []));
  return tree;
}

/** CPU seconds that a process, its threads and its children have used so far. */
export function cpuSecondsOf(pid: number): number {
  return treeOf(pid, allProcesses()).reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
}

/** The most memory that a process and its children have ever held, each by itself. */
export function peakRssMiBOf(pid: number): number {
  return treeOf(pid, allProcesses()).reduce((sum, process) => sum + peakRssKiB(process.pid), 0) / 1024;
}

/** CPU seconds of the whole machine, work for interrupts and time taken by the hypervisor included. */
export function machineCpuSeconds(): number {
  return parseMachineCpu(readFileSync("/proc/stat", "utf8"));
}

export function parseMachineCpu(stat: string): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] =
    /^cpu +(.*)$/m.exec(stat)?.[1]?.split(" ").map(Number) ?? [];
  return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND;
}

function allProcesses(): ProcessStat[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      const line = readIfThere(`/proc/${pid}/stat`);
      return line === undefined ? [] : [parseStat(line)];
    });
}

function peakRssKiB(pid: number): number {
  const status = readIfThere(`/proc/${pid}/status`) ?? "";
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
}

/** A process may end between being listed and being read. */
function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
