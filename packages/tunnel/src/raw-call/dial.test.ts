import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { dial } from '#raw-call/dial.ts';
import { listen } from '#testing/echo.ts';

const NAME = 'grpc_proxy';
const signal = () => AbortSignal.timeout(2_000);

describe('a connection through the HTTP proxy of the environment', () => {
  let server: Server;
  let answer = '';
  let asked = '';
  let port = 0;
  const before = process.env[NAME];
  const open = new Set<Socket>();
  beforeEach(async () => {
    server = createServer((socket) => {
      open.add(socket);
      socket.on('error', () => undefined).on('close', () => open.delete(socket));
      socket.once('data', (bytes: Buffer) => {
        asked = bytes.toString('latin1');
        if (answer !== '') socket.write(answer);
      });
    });
    port = await listen(server);
    process.env[NAME] = `http://us%3Aer:pass@127.0.0.1:${port}`;
  });
  afterEach(() => {
    if (before === undefined) delete process.env[NAME];
    else process.env[NAME] = before;
    for (const socket of open) socket.destroy();
    server.close();
  });

  it('asks for the address itself, with what the environment says of credentials, and loses no byte behind the answer; and again', async () => {
    answer = 'HTTP/1.1 200 Connection established\r\n\r\nfirst';
    const { socket, again } = await dial('proxy.example:3080', signal());
    expect(asked).toMatch(/^CONNECT proxy\.example:3080 HTTP\/1\.1\r\n/);
    expect(asked).toMatch(/\r\nHost: proxy\.example:3080\r\n/i);
    expect(asked).toContain(`Basic ${Buffer.from('us:er:pass').toString('base64')}`);
    expect(String((await once(socket, 'data'))[0])).toBe('first');
    const second = await again(signal());
    expect(String((await once(second, 'data'))[0])).toBe('first');
    socket.destroy();
    second.destroy();
  });

  it.each([
    ['407 Proxy Authentication Required', 'answered 407'],
    ['502 Bad Gateway', 'answered 502'],
  ])('says what the proxy answered: %s', async (line, said) => {
    answer = `HTTP/1.1 ${line}\r\nContent-Length: 0\r\n\r\n`;
    await expect(dial('proxy.example:3080', signal())).rejects.toMatchObject({
      code: 'cannot_connect',
      message: expect.stringContaining(said) as string,
    });
    await expect.poll(() => open.size).toBe(0);
  });

  it('is given up where the proxy says nothing, and nothing of it is left', async () => {
    answer = '';
    await expect(dial('proxy.example:3080', AbortSignal.timeout(100))).rejects.toMatchObject({ code: 'cannot_connect' });
    await expect.poll(() => open.size).toBe(0);
  });
});
