import { PosternError } from '@postern/api/errors';
import { type Found, NobodyListens } from '@postern/membership';
import { describe, expect, it } from 'vitest';
import { findProxy } from '#login/find-proxy.ts';

const found: Found = { cluster: 'test.internal', serverVersion: '0.1.0', hostCaPems: [], caPins: [] };
const nobody = (at: string) => new NobodyListens(`cannot connect to ${at}: ECONNREFUSED`);
const wrongPin = (at: string) => new PosternError('cannot_connect', `the CA pin does not match ${at}`);

/** The ports of a host, each with what comes of asking it; `asked` tells the order. */
function host(ports: Readonly<Record<string, 'cluster' | ((at: string) => Error)>>) {
  const asked: string[] = [];
  const ask = async (at: string): Promise<Found> => {
    asked.push(at);
    const answer = ports[at.slice(at.lastIndexOf(':') + 1)] ?? nobody;
    if (answer === 'cluster') return found;
    throw answer(at);
  };
  return { ask, asked };
}

describe('the proxy of an address without a port', () => {
  it('is at 443, and nowhere else is asked', async () => {
    const { ask, asked } = host({ 443: 'cluster', 3080: 'cluster' });
    expect(await findProxy('proxy.example', ask)).toEqual({ proxy: 'proxy.example:443', found });
    expect(asked).toEqual(['proxy.example:443']);
  });

  it('is at 3080 where nothing listens at 443', async () => {
    const { ask } = host({ 3080: 'cluster' });
    expect((await findProxy('proxy.example', ask)).proxy).toBe('proxy.example:3080');
  });

  it('is not looked for at 3080 where 443 answers and is refused', async () => {
    const { ask, asked } = host({ 443: wrongPin, 3080: 'cluster' });
    await expect(findProxy('proxy.example', ask)).rejects.toThrow('the CA pin does not match proxy.example:443');
    expect(asked).toHaveLength(1);
  });

  it('says what was refused at 3080, and of two ports without a listener the first', async () => {
    await expect(findProxy('proxy.example', host({ 3080: wrongPin }).ask)).rejects.toThrow('the CA pin does not match proxy.example:3080');
    await expect(findProxy('proxy.example', host({}).ask)).rejects.toThrow('cannot connect to proxy.example:443');
  });
});

it.each(['proxy.example:443', 'https://Proxy.example:443/'])('the port of %s is the only one asked', async (address) => {
  const { ask, asked } = host({ 3080: 'cluster' });
  await expect(findProxy(address, ask)).rejects.toBeInstanceOf(NobodyListens);
  expect(asked).toEqual(['proxy.example:443']);
});
