// What /proc says that a process and all that it started have used.
import { readFileSync, writeFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;

/** CPU seconds so far and resident MiB, now and at most, of a process and its children's children, the ones that have ended included. */
export function usageOf(pid) {
  const own = usageOfOne(pid);
  const children = childrenOf(pid).map(usageOf);
  const sum = (read) => children.reduce((total, child) => total + read(child), read(own));
  return { cpuSeconds: sum((one) => one.cpuSeconds), rssMiB: sum((one) => one.rssMiB), peakMiB: sum((one) => one.peakMiB) };
}

/** Lets the peak begin at what is resident now, in children too; proc_pid_clear_refs(5). One who may not do so to a process keeps its old peak. */
export function resetPeak(pid) {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5');
  } catch (error) {
    if (error.code !== 'EACCES' && error.code !== 'EPERM') throw error;
  }
  for (const child of childrenOf(pid)) resetPeak(child);
}

function childrenOf(pid) {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
}

function usageOfOne(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kib = (label) => Number(new RegExp(`${label}:\\s+(\\d+)`).exec(status)?.[1]);
  const [user, system, endedUser, endedSystem] = fields.slice(11, 15).map(Number);
  return {
    cpuSeconds: (user + system + endedUser + endedSystem) / TICKS_PER_SECOND,
    rssMiB: kib('VmRSS') / 1024,
    peakMiB: kib('VmHWM') / 1024,
  };
}
