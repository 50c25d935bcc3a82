import { readFileSync } from 'node:fs';
import type { Daemon } from '@postern/test-harness/processes.ts';

const EVERY_MS = 50;

/** Resident memory of processes while something goes on: by how many MiB each had more than before, at most. */
export async function growthOf(daemons: Readonly<Record<string, Daemon>>, act: () => Promise<unknown>): Promise<Record<string, number>> {
  const watched = Object.entries(daemons).map(([name, daemon]) => {
    const before = residentMib(daemon);
    return { name, daemon, before, peak: before };
  });
  const look = setInterval(() => {
    for (const one of watched) one.peak = Math.max(one.peak, residentMib(one.daemon));
  }, EVERY_MS);
  await act().finally(() => clearInterval(look));
  return Object.fromEntries(watched.map(({ name, before, peak }) => [name, Math.round(peak - before)]));
}

function residentMib({ child }: Daemon): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024;
}
