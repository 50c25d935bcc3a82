import { describe, expect, it } from 'vitest';
import { sessionsBefore } from '#login/sessions-before.ts';
import { credentials, profile, somebody } from '#testing/somebody.ts';

const who = somebody();

describe('what a new login ends', () => {
  it('is told as the commands that bring it back, under the roles that it had', () => {
    const { store } = who();
    store.save(profile, credentials);
    expect(sessionsBefore(store, profile.proxy, profile.user)).toEqual([]);
    const roleArn = 'arn:aws:iam::123456789012:role/R';
    const authority = { certificatePem: 'c', privateKeyPem: 'k' };
    store.kept(profile, 'app').save('aws', JSON.stringify({ name: 'aws', uri: 'u', roleArn, authority }));
    store.kept(profile, 'app').save('unreadable', '{');
    store.kept(profile, 'db').save('orders', '{}');
    expect(sessionsBefore(store, profile.proxy, profile.user)).toEqual([
      `$ tsh apps login --aws-role=${roleArn} aws`,
      '$ tsh apps login unreadable',
      '$ tsh db login orders',
    ]);
  });

  it('is nothing where another user signs in, or at another proxy', () => {
    const { store } = who();
    store.save(profile, credentials);
    store.kept(profile, 'db').save('orders', '{}');
    expect(sessionsBefore(store, profile.proxy, 'somebody-else')).toEqual([]);
    expect(sessionsBefore(store, 'elsewhere:443', profile.user)).toEqual([]);
  });
});
