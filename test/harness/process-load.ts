import { readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;
const MIB = 1024;

export interface ProcessLoad {
  readonly cpuSeconds: number;
  readonly rssMiB: number;
  readonly descriptors: number;
}

/** What the kernel says of a process; its children are not counted. */
export function loadOf(pid: number): ProcessLoad {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  const kib = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  const ticks = Number(fields[11]) + Number(fields[12]);
  return { cpuSeconds: ticks / TICKS_PER_SECOND, rssMiB: kib / MIB, descriptors: readdirSync(`/proc/${pid}/fd`).length };
}

/** The share of one processor that a process takes over a time. */
export async function cpuShare(pid: number, overMs: number): Promise<number> {
  const before = loadOf(pid).cpuSeconds;
  const startedMs = performance.now();
  await new Promise((resolve) => setTimeout(resolve, overMs));
  return (loadOf(pid).cpuSeconds - before) / ((performance.now() - startedMs) / 1000);
}
