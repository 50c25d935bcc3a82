import { type Daemon, until } from '#processes.ts';

interface Answer {
  readonly result?: { readonly value?: unknown };
}

/** Asks one thing of a process's inspector: a method of the protocol with its parameters. */
export type Ask = (method: string, params: object) => Promise<Answer>;

/**
 * A Node process as it looks from inside. Its inspector is opened from outside (SIGUSR1) and listens on loopback on a port of its own
 * choice: what runs is the product as it is, and no hook of ours is in it.
 */
export async function withInspector<T>(daemon: Daemon, use: (ask: Ask) => Promise<T>): Promise<T> {
  const url = await inspectorOf(daemon);
  const socket = new WebSocket(url);
  const answers = new Map<number, (result: Answer) => void>();
  socket.addEventListener('message', ({ data }) => {
    const { id, result } = JSON.parse(String(data)) as { id: number; result: Answer };
    answers.get(id)?.(result);
  });
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve());
    socket.addEventListener('error', () => reject(new Error(`${url} does not answer`)));
  });
  let id = 0;
  try {
    return await use(
      (method, params) =>
        new Promise((resolve) => {
          id += 1;
          answers.set(id, resolve);
          socket.send(JSON.stringify({ id, method, params }));
        }),
    );
  } finally {
    socket.close();
  }
}

async function inspectorOf(daemon: Daemon): Promise<string> {
  const pattern = /Debugger listening on (ws:\/\/127\.0\.0\.1:\d+\/\S+)/g;
  const last = () => [...daemon.log().matchAll(pattern)].at(-1)?.[1];
  const known = urls.get(daemon);
  if (known !== undefined) return known;
  // The log of a process that was started again holds the inspectors of earlier runs.
  const before = last();
  daemon.child.kill('SIGUSR1');
  const url = await until(`the inspector of ${daemon.name}`, 10_000, () => {
    const now = last();
    return now === before ? undefined : now;
  });
  urls.set(daemon, url);
  return url;
}
const urls = new WeakMap<Daemon, string>();

/** What an error in code that runs for nobody does: a callback throws, or a promise is rejected and nobody looks. */
export function breakInside(daemon: Daemon, how: 'thrown' | 'rejected'): Promise<unknown> {
  const error = `new Error('provoked from outside')`;
  const expression = how === 'thrown' ? `setTimeout(() => { throw ${error}; }, 50)` : `setTimeout(() => { Promise.reject(${error}); }, 50)`;
  return withInspector(daemon, (ask) => ask('Runtime.evaluate', { expression: `${expression}, 0`, returnByValue: true }));
}
