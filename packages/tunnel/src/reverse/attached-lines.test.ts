import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, Socket } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { AgentLines } from '#reverse/agent-lines.ts';
import { AttachedLines } from '#reverse/attached-lines.ts';
import { LINE_NAME_BYTES, LINE_TOKEN_BYTES, lineNameOf } from '#reverse/line-hello.ts';
import { LineTokens } from '#reverse/line-tokens.ts';
import { listen } from '#testing/echo.ts';

describe('the lines of an attachment', () => {
  afterEach(() => void vi.useRealTimers());
  const never = new AbortController().signal;
  const setUp = () => {
    vi.useFakeTimers();
    const [tokens, asked]: [LineTokens, Buffer[]] = [new LineTokens(), []];
    const lines = new AttachedLines({ tokens, ask: (makeTokens) => asked.push(...makeTokens()) > 0 });
    const come = () => tokens.redeem(asked.shift()?.toString('hex', 0, LINE_NAME_BYTES) ?? '', new Socket());
    return { lines, asked, come };
  };

  it('are not asked for again for five minutes after none came, and then they are', async () => {
    const { lines, asked, come } = setUp();
    const first = lines.take(never);
    expect(asked).toHaveLength(3);
    await vi.advanceTimersByTimeAsync(700);
    expect(await first).toBeUndefined();
    await vi.advanceTimersByTimeAsync(5 * 60_000 - 1);
    asked.length = 0;
    expect(await lines.take(never)).toBeUndefined();
    expect(asked).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(1);
    const again = lines.take(never);
    expect(asked).toHaveLength(3);
    expect(come()).toBe(true);
    expect(await again).toBeDefined();
  });

  it('are asked for again at once by one that had none while others were served, and by nobody who has left', async () => {
    const { lines, asked, come } = setUp();
    const [served, unserved] = [lines.take(never), lines.take(never)];
    await vi.advanceTimersByTimeAsync(100);
    come();
    expect(await served).toBeDefined();
    await vi.advanceTimersByTimeAsync(600);
    expect(await unserved).toBeUndefined();
    asked.length = 0;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await lines.take(AbortSignal.abort())).toBeUndefined();
    expect(asked).toHaveLength(0);
    void lines.take(never);
    expect(asked).toHaveLength(3);
  });

  it('are waited for by nobody once it has ended', async () => {
    const { lines } = setUp();
    const waiting = lines.take(never);
    lines.end();
    expect(await waiting).toBeUndefined();
    expect(lines.claimedCount).toBe(0);
    expect(await lines.take(never)).toBeUndefined();
  });

  it('are not kept where the agent closes one that waits, or says something on it before it is dialled', async () => {
    const tokens = new LineTokens();
    const asked: Buffer[] = [];
    const lines = new AttachedLines({ tokens, ask: (makeTokens) => asked.push(...makeTokens()) > 0 });
    const server = createServer((line) => void line.once('readable', () => tokens.redeem(String(line.read()), line)));
    const port = await listen(server);
    const taken = lines.take(new AbortController().signal);
    const agents = asked.map(() =>
      connect(port, '127.0.0.1')
        .on('error', () => undefined)
        .resume()
        .setNoDelay(true),
    );
    for (const [i, far] of agents.entries()) far.write(asked[i]?.toString('hex', 0, LINE_NAME_BYTES) ?? '');
    expect((await taken)?.socket).toBeInstanceOf(Socket);
    await expect.poll(() => lines.idleCount).toBe(2);
    agents[1]?.end();
    agents[2]?.write('!');
    await expect.poll(() => lines.idleCount).toBe(0);
    expect(lines.busyCount).toBe(1);
    lines.end();
    await expect.poll(() => agents.every(({ closed }) => closed)).toBe(true);
    server.close();
  });
});

describe('the lines that an agent has open', () => {
  it('and that wait are 128 at most, whatever a proxy asks for', async () => {
    const server = createServer((socket) => void socket.on('error', () => undefined).resume());
    const port = await listen(server);
    let dials = 0;
    const lines = new AgentLines({
      dial: () => {
        dials += 1;
        const socket = connect(port, '127.0.0.1');
        return once(socket, 'connect').then(() => socket);
      },
      serves: () => undefined,
      onConnection: () => undefined,
      onFreed: () => undefined,
    });
    for (let i = 0; i < 128; i += 1) lines.open(randomBytes(LINE_TOKEN_BYTES));
    expect(lines.count).toBe(128);
    lines.open(randomBytes(LINE_TOKEN_BYTES));
    lines.open(Buffer.alloc(LINE_TOKEN_BYTES - 1));
    await expect.poll(() => lines.count).toBe(128);
    expect(dials).toBe(128);
    lines.end();
    await expect.poll(() => lines.count).toBe(0);
    server.close();
  });
});

describe('the tokens of lines', () => {
  afterEach(() => void vi.useRealTimers());

  it('are good once, and for ten seconds', () => {
    vi.useFakeTimers();
    const tokens = new LineTokens();
    const [line, came, expired] = [new Socket(), vi.fn(), vi.fn()];
    const issue = () => tokens.issue(came, expired).toString('hex', 0, LINE_NAME_BYTES);
    const [once_, late] = [issue(), issue()];
    expect(tokens.redeem(once_, line)).toBe(true);
    expect(tokens.redeem(once_, line)).toBe(false);
    vi.advanceTimersByTime(9_999);
    expect(expired).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(expired).toHaveBeenCalledTimes(1);
    expect(tokens.redeem(late, line)).toBe(false);
    expect(tokens.redeem('', line)).toBe(false);
    expect(came).toHaveBeenCalledTimes(1);
  });

  it('are read out of the name of a line and of no other', () => {
    const token = randomBytes(LINE_NAME_BYTES).toString('hex');
    expect(lineNameOf(`${token}.line.postern.internal`)).toBe(token);
    for (const name of ['line.postern.internal', 'x.session.postern.internal', `${token}.line.postern.internal.evil.example`, ''])
      expect(lineNameOf(name)).toBeUndefined();
  });
});
