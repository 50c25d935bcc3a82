import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { onHandshakeOver } from '#tcp/handshake-over.ts';

const record = (type: number, length: number) =>
  Buffer.concat([Buffer.from([type, 3, 3, length >> 8, length & 255]), Buffer.alloc(length, 23)]);
const [ccs, alert, handshake, data] = [record(20, 1), record(21, 2), record(22, 90), record(23, 700)];

async function isOver(steps: readonly (readonly ['client' | 'server', Buffer])[]): Promise<boolean> {
  const ends = { client: new PassThrough(), server: new PassThrough() };
  let over = false;
  onHandshakeOver(ends.client, ends.server, () => {
    over = true;
  });
  for (const [from, bytes] of steps) {
    ends[from].write(bytes);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return over;
}
const flight = Buffer.concat([handshake, ccs, data, data]);

it('is over when the server goes on after the client has answered its flight', async () => {
  expect(
    await isOver([
      ['server', flight],
      ['client', data],
      ['server', data],
    ]),
  ).toBe(true);
  const inBytes = [...flight].map((byte) => ['server', Buffer.from([byte])] as const);
  expect(await isOver([...inBytes, ['client', data], ['server', data.subarray(0, 5)]])).toBe(true);
});

it('is not over for who speaks too early, asks for another hello, is refused in the clear, or says nothing', async () => {
  expect(
    await isOver([
      ['client', data],
      ['server', flight],
    ]),
  ).toBe(false);
  expect(
    await isOver([
      ['server', Buffer.concat([handshake, ccs])],
      ['client', handshake],
      ['server', flight],
    ]),
  ).toBe(false);
  expect(
    await isOver([
      ['server', flight],
      ['client', data],
      ['server', alert],
    ]),
  ).toBe(false);
  expect(
    await isOver([
      ['server', flight],
      ['server', data],
    ]),
  ).toBe(false);
});
