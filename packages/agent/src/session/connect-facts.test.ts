import { Metadata } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { CONNECT_KEYS, nothingSaid, readConnectFacts } from '#session/connect-facts.ts';

const read = (said: Readonly<Record<string, string>>) => {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(said)) metadata.set(key, value);
  return readConnectFacts(metadata);
};

describe('what tsh says of a local connection', () => {
  it('is read from the metadata of the call', () => {
    const said = {
      [CONNECT_KEYS.localPort]: '23456',
      [CONNECT_KEYS.localKey]: 'AKIAABCDEFGHIJKLMNOP:c2VjcmV0LXNlY3JldC1zZWNyZXQ=',
      [CONNECT_KEYS.connectHost]: 's3.us-east-1.amazonaws.com',
      [CONNECT_KEYS.tunnelHost]: 'ssmmessages.us-east-1.amazonaws.com',
      [CONNECT_KEYS.protocol]: 'h2',
    };
    expect(read(said)).toEqual({
      localPort: 23_456,
      localKey: { accessKeyId: 'AKIAABCDEFGHIJKLMNOP', secretAccessKey: 'c2VjcmV0LXNlY3JldC1zZWNyZXQ=' },
      connectHost: 's3.us-east-1.amazonaws.com',
      tunnelHost: 'ssmmessages.us-east-1.amazonaws.com',
      isHttp2: true,
    });
  });

  it('counts as not said where it is absent, malformed or said twice', () => {
    expect(read({})).toEqual(nothingSaid);
    for (const port of ['0', '65536', '1e3', ' 80', '080']) expect(read({ [CONNECT_KEYS.localPort]: port })).toEqual(nothingSaid);
    for (const key of [
      'short:c2VjcmV0LXNlY3JldC1zZWNyZXQ=',
      'AKIAABCDEFGHIJKLMNOP',
      'AKIAABCDEFGHIJKLMNOP:',
      'AKIA/BCDEFGHIJKLMNOP:c2VjcmV0LXNlY3JldC0',
    ])
      expect(read({ [CONNECT_KEYS.localKey]: key })).toEqual(nothingSaid);
    expect(read({ [CONNECT_KEYS.connectHost]: 'a b' })).toEqual(nothingSaid);
    expect(read({ [CONNECT_KEYS.tunnelHost]: 'a'.repeat(254) })).toEqual(nothingSaid);
    expect(read({ [CONNECT_KEYS.protocol]: 'h3' })).toEqual(nothingSaid);
    const twice = new Metadata();
    twice.add(CONNECT_KEYS.localPort, '1');
    twice.add(CONNECT_KEYS.localPort, '2');
    expect(readConnectFacts(twice)).toEqual(nothingSaid);
  });
});
