import { describe, expect, it } from 'vitest';
import { guardedLookup, mayBeDialled } from '#upstream/dial-address.ts';

describe('addresses that are dialled', () => {
  it.each(['52.94.0.1', '10.0.0.5', '172.16.0.1', '192.168.1.1', '2600:1f00::1', 'fd12::1'])(
    'may be %s: AWS, or a VPC endpoint',
    (address) => {
      expect(mayBeDialled(address)).toBe(true);
    },
  );

  it.each([
    '127.0.0.1',
    '127.9.9.9',
    '0.0.0.0',
    '169.254.169.254',
    '169.254.170.2',
    '::1',
    '::',
    'fe80::1',
    'fd00:ec2::254',
    '::ffff:169.254.169.254',
    '::ffff:127.0.0.1',
    '::ffff:a9fe:a9fe',
    'localhost',
    '',
  ])('may not be %s', (address) => {
    expect(mayBeDialled(address)).toBe(false);
  });

  it('are looked up without those that may not be', async () => {
    const lookup = guardedLookup((_name, _options, done) =>
      done(null, [
        { address: '169.254.169.254', family: 4 },
        { address: '52.94.0.1', family: 4 },
      ]),
    );
    const all = await new Promise((resolve) =>
      lookup('dynamodb.us-east-1.amazonaws.com', { all: true }, (_error, found) => resolve(found)),
    );
    expect(all).toEqual([{ address: '52.94.0.1', family: 4 }]);
    const one = await new Promise((resolve) => lookup('dynamodb.us-east-1.amazonaws.com', {}, (_error, found) => resolve(found)));
    expect(one).toBe('52.94.0.1');
  });

  it('are none where a name leads to this machine', async () => {
    const lookup = guardedLookup((_name, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }]));
    const error = await new Promise<Error | null>((resolve) =>
      lookup('dynamodb.us-east-1.amazonaws.com', { all: true }, (failed) => resolve(failed)),
    );
    expect(error?.message).toMatch(/not dialled/);
  });
});
