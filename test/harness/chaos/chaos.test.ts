import { connect, createServer, type Server, type Socket } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Chaos, type ChaosLink } from '#chaos/chaos.ts';
import { Daemon, until } from '#processes.ts';

/** A client of an echo server behind a link: what came back, when, and how it ended. */
class Caller {
  readonly socket: Socket;
  readonly startedMs = performance.now();
  text = '';
  firstMs = Number.POSITIVE_INFINITY;
  ended = '';

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: false });
    this.socket.setEncoding('latin1');
    this.socket.on('data', (text: string) => {
      this.firstMs = Math.min(this.firstMs, performance.now() - this.startedMs);
      this.text += text;
    });
    this.socket.on('end', () => (this.ended ||= 'FIN'));
    this.socket.on('error', (error: NodeJS.ErrnoException) => (this.ended ||= error.code ?? 'error'));
  }

  hears(text: string, ms = 5000): Promise<true> {
    return until(`"${text}"`, ms, () => (this.text.includes(text) ? true : undefined));
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('the chaos proxy', () => {
  const dir = mkdtempSync(join(tmpdir(), 'postern-chaos-'));
  const daemons: Daemon[] = [];
  const callers: Caller[] = [];
  let echo: Server;
  let chaos: Chaos;
  let heard = '';
  let link: ChaosLink;

  const call = () => {
    const caller = new Caller(link.port);
    callers.push(caller);
    return caller;
  };
  const fresh = async () => {
    const address = echo.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    link = await chaos.before(address.port);
    heard = '';
  };

  beforeAll(async () => {
    echo = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (bytes: Buffer) => {
        heard += bytes.toString('latin1');
        socket.write(bytes);
      });
    });
    await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
    const started = (name: string, command: readonly string[]) => {
      const daemon = new Daemon(name, command, { env: process.env, cwd: dir, logFile: join(dir, `${name}.log`) });
      daemons.push(daemon);
      return daemon;
    };
    chaos = await Chaos.start({ daemon: started });
  });
  afterAll(async () => {
    for (const { socket } of callers) socket.destroy();
    for (const daemon of daemons) await daemon.stop();
    echo.close();
    rmSync(dir, { recursive: true });
  });

  it('passes bytes both ways, counts them, and passes on a FIN', async () => {
    await fresh();
    const caller = call();
    caller.socket.write('hello');
    await caller.hears('hello');
    expect(await link.counters()).toMatchObject({ accepted: 1, open: 1, bytesUp: 5, bytesDown: 5, swallowed: 0 });
    caller.socket.end();
    await until('both ends closed', 3000, async () => ((await link.counters()).open === 0 ? true : undefined));
  });

  it('delays one way by what was asked, in order', async () => {
    await fresh();
    await link.set({ mode: 'delay', way: 'down', ms: 200, jitterMs: 100 });
    const caller = call();
    for (let n = 0; n < 50; n += 1) caller.socket.write(`${n};`);
    await caller.hears('49;');
    expect(caller.text).toBe(Array.from({ length: 50 }, (_, n) => `${n};`).join(''));
    expect(caller.firstMs).toBeGreaterThan(95);
  });

  it('holds one way and loses nothing: what was sent arrives when it is healed', async () => {
    await fresh();
    const caller = call();
    caller.socket.write('before;');
    await caller.hears('before;');
    await link.set({ mode: 'hold', way: 'down' });
    caller.socket.write('while;');
    await until('the target to hear it', 3000, () => (heard.includes('while;') ? true : undefined));
    await pause(200);
    expect(caller.text).toBe('before;');
    await link.heal();
    await caller.hears('while;');
    expect(caller.ended).toBe('');
  });

  it('swallows in a black hole, and resets what lost bytes when it is lifted', async () => {
    await fresh();
    const caller = call();
    caller.socket.write('before;');
    await caller.hears('before;');
    await link.set({ mode: 'blackhole', way: 'up' });
    caller.socket.write('lost;');
    await until('it to be swallowed', 3000, async () => ((await link.counters()).swallowed === 5 ? true : undefined));
    expect(heard).toBe('before;');
    expect(caller.ended).toBe('');
    await link.heal();
    await until('the end', 3000, () => caller.ended || undefined);
    expect(caller.ended).toBe('ECONNRESET');
  });

  it('cuts with a FIN and resets with an RST; new connections alone, or existing ones alone', async () => {
    await fresh();
    const old = call();
    old.socket.write('a');
    await old.hears('a');
    await link.set({ mode: 'cut', connections: 'new' });
    const young = call();
    await until('a FIN', 3000, () => young.ended || undefined);
    expect(young.ended).toBe('FIN');
    old.socket.write('b');
    await old.hears('ab');
    await link.set({ mode: 'pass', connections: 'new' });
    await link.set({ mode: 'reset', connections: 'existing' });
    await until('an RST', 3000, () => old.ended || undefined);
    expect(old.ended).toBe('ECONNRESET');
    const next = call();
    next.socket.write('c');
    await next.hears('c');
    expect(await link.counters()).toMatchObject({ cut: 1, reset: 1 });
  });

  it('throttles to bytes a second, and makes the sender wait', async () => {
    await fresh();
    await link.set({ mode: 'throttle', way: 'up', bytesPerSecond: 100_000 });
    const caller = call();
    caller.socket.write('x'.repeat(60_000));
    await until('all of it', 5000, () => (caller.text.length === 60_000 ? true : undefined));
    const tookMs = performance.now() - caller.startedMs;
    expect(tookMs).toBeGreaterThan(450);
    expect(tookMs).toBeLessThan(3000);
  });

  it('refuses a fault that cannot be carried out', async () => {
    await fresh();
    await expect(link.set({ mode: 'throttle' })).rejects.toThrow(/throttle needs bytesPerSecond/);
    await expect(link.set({ mode: 'reset', way: 'up' })).rejects.toThrow(/reset has no way/);
  });
});
