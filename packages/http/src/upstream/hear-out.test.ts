import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { selfSigned } from '#testing/certificate.ts';
import type { Flight } from '#upstream/flight.ts';
import { Origin } from '#upstream/origin.ts';

/** In a thread of its own: answers the head of a request, hangs up and resets while the client's own thread stands still. */
const SERVER = `
const { parentPort, workerData } = require('node:worker_threads');
const { answer, tls, word } = workerData;
const serve = (socket) => {
  socket.on('error', () => undefined);
  socket.once('data', () => socket.end(answer, () => {
    // What comes after this is answered by the system, with a reset: nobody will read it.
    socket.destroy();
    setTimeout(() => { Atomics.store(word, 0, 1); Atomics.notify(word, 0); }, 50);
  }));
};
const server = tls ? require('node:tls').createServer(tls, serve) : require('node:net').createServer(serve);
server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;
const ANSWER = 'HTTP/1.1 503 Slow Down\r\nContent-Length: 8\r\nConnection: close\r\n\r\nSlowDown';
const LIMITS = {
  connections: 1,
  connectMs: 10_000,
  headersMs: 10_000,
  idleMs: 10_000,
  keepAliveMs: 10_000,
  head: { maxBytes: 65_536, maxLines: 256 },
};

let tls: { readonly key: string; readonly cert: string };
beforeAll(() => {
  tls = selfSigned('DNS:localhost', 'IP:127.0.0.1');
});
const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const undo of cleanup.splice(0)) await undo();
});

/** What becomes of an upload whose server has hung up before the client writes on. */
async function upload({ answer, isTls }: { readonly answer: string; readonly isTls: boolean }): Promise<string> {
  const word = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(SERVER, { eval: true, workerData: { answer, word, ...(isTls ? { tls } : {}) } });
  const [port] = (await once(worker, 'message')) as [number];
  const origin = new Origin({
    host: isTls ? 'localhost' : '127.0.0.1',
    port,
    isTls,
    isGuarded: false,
    ...(isTls ? { ca: tls.cert } : {}),
    limits: LIMITS,
  });
  cleanup.push(
    () => origin.destroy(),
    () => worker.terminate(),
  );
  return new Promise((resolve) => {
    let said = '';
    let begun = false;
    const flight: Flight = origin.send(
      { method: 'PUT', target: '/', fields: ['Host', 'x', 'Content-Length', '9000000'], body: Buffer.alloc(0), isStreamed: true },
      {
        onDrain: () => {
          if (begun) return;
          begun = true;
          Atomics.wait(word, 0, 0, 5000);
          // The first is what the system answers with a reset; the second is told of it.
          for (let i = 0; i < 2; i += 1) {
            flight.write(Buffer.alloc(100_000));
            Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
          }
        },
        onHead: ({ status }) => (said = `${status} `),
        onWire: (bytes: Buffer, headBytes: number) => (said += bytes.subarray(headBytes).toString()),
        onData: () => undefined,
        onEnd: () => resolve(said),
        onFailed: ({ code, reason }) => resolve(`failed: ${code}: ${reason}`),
        wantsData: false,
      },
    );
  });
}

describe.each([
  ['plain', false],
  ['over TLS', true],
])('a server that hangs up in the middle of an upload, %s', (_, isTls) => {
  it('is heard to the end of what it said', async () => {
    expect(await upload({ answer: ANSWER, isTls })).toBe('503 SlowDown');
  });

  it('and has said nothing, or half of it, has failed', async () => {
    expect(await upload({ answer: '', isTls })).toMatch(/^failed: closed: /);
    expect(await upload({ answer: ANSWER.slice(0, -3), isTls })).toMatch(/^failed: closed: /);
  });
});
