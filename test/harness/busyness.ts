import { availableParallelism, loadavg } from 'node:os';

/** How much longer than on a machine of its own everything takes here; 1 at least. */
export function busyness(): number {
  return Math.max(1, (loadavg()[0] ?? 0) / availableParallelism());
}
