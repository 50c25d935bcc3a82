import { type Daemon, until } from '#processes.ts';

/**
 * What a Node process keeps alive, after a full collection: the size of the process says little, since V8 does not shrink a heap that
 * nobody presses. Asks the process through its inspector (SIGUSR1), which listens on loopback on a port of its own choice.
 */
export async function liveBytes(daemon: Daemon): Promise<number> {
  const pattern = /Debugger listening on (ws:\/\/127\.0\.0\.1:\d+\/\S+)/g;
  const known = () => [...daemon.log().matchAll(pattern)].at(-1)?.[1];
  let url = urls.get(daemon);
  if (url === undefined) {
    const before = known();
    daemon.child.kill('SIGUSR1');
    url = await until(`the inspector of ${daemon.name}`, 10_000, () => {
      const now = known();
      return now === before ? undefined : now;
    });
    urls.set(daemon, url);
  }
  return collectAndMeasure(url);
}
const urls = new WeakMap<Daemon, string>();

async function collectAndMeasure(url: string): Promise<number> {
  const socket = new WebSocket(url);
  const answers = new Map<number, (result: { readonly result?: { readonly value?: unknown } }) => void>();
  socket.addEventListener('message', ({ data }) => {
    const { id, result } = JSON.parse(String(data)) as { id: number; result: object };
    answers.get(id)?.(result);
  });
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve());
    socket.addEventListener('error', () => reject(new Error(`${url} does not answer`)));
  });
  let id = 0;
  const ask = (method: string, params: object) =>
    new Promise<{ readonly result?: { readonly value?: unknown } }>((resolve) => {
      id += 1;
      answers.set(id, resolve);
      socket.send(JSON.stringify({ id, method, params }));
    });
  try {
    await ask('HeapProfiler.collectGarbage', {});
    const expression = '(({ heapUsed, external }) => heapUsed + external)(process.memoryUsage())';
    const { result } = await ask('Runtime.evaluate', { expression, returnByValue: true });
    return Number(result?.value);
  } finally {
    socket.close();
  }
}
