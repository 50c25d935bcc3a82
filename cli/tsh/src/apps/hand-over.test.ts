import { afterEach, describe, expect, it } from 'vitest';
import { type HandOver, handOver } from '#apps/hand-over.ts';

const SECRET = 'https://signin.aws.amazon.com/federation?Action=login&SigninToken=secret';
let over: HandOver | undefined;
afterEach(() => over?.close());
const ask = (address: string, init: RequestInit = {}) => fetch(address, { redirect: 'manual', ...init });

describe('an address that is handed to a browser', () => {
  it('holds nothing of the secret, leads to it once, and then nowhere', async () => {
    over = await handOver(SECRET);
    expect(over.address).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[0-9a-f]{32}$/);
    const first = await ask(over.address);
    expect([first.status, first.headers.get('location'), first.headers.get('cache-control')]).toEqual([303, SECRET, 'no-store']);
    await over.taken;
    const second = await ask(over.address);
    expect([second.status, second.headers.get('location')]).toEqual([410, null]);
  });

  it('is not guessed, and not used up by whoever tries', async () => {
    over = await handOver(SECRET);
    const { origin } = new URL(over.address);
    for (const path of ['/', '/favicon.ico', `/${'0'.repeat(32)}`]) expect((await ask(origin + path)).status).toBe(404);
    expect((await ask(over.address, { method: 'POST' })).status).toBe(404);
    expect((await ask(over.address.replace('127.0.0.1', 'localhost'))).status).toBe(404);
    expect((await ask(over.address)).status).toBe(303);
  });
});
