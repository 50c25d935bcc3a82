import { withInspector } from '#inspector.ts';
import type { Daemon } from '#processes.ts';

/**
 * What a Node process keeps alive, after a full collection: the size of the process says little, since V8 does not shrink a heap that
 * nobody presses.
 */
export function liveBytes(daemon: Daemon): Promise<number> {
  return withInspector(daemon, async (ask) => {
    await ask('HeapProfiler.collectGarbage', {});
    const expression = '(({ heapUsed, external }) => heapUsed + external)(process.memoryUsage())';
    const { result } = await ask('Runtime.evaluate', { expression, returnByValue: true });
    return Number(result?.value);
  });
}
