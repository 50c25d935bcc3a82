import { describe, expect, it } from 'vitest';
import { keysOf, loadKey, newLocalKey, renewKey, saveKey } from '#apps/local-key.ts';
import { credentials, profile, somebody } from '#testing/somebody.ts';

const who = somebody();

function key(app: string, roleArn: string) {
  const grant = {
    kind: 'app' as const,
    name: app,
    principal: roleArn,
    protocol: '',
    ticket: 't',
    agentIds: ['one'],
    hostCaPems: [],
    validUntilMs: profile.validUntilMs,
    ...credentials,
  };
  return { ...newLocalKey(), app, roleArn, grant };
}

describe('throw-away keys', () => {
  it('have the shapes of AWS’s, and are never the same twice', () => {
    const keys = Array.from({ length: 100 }, newLocalKey);
    for (const { accessKeyId, secretAccessKey } of keys) {
      expect(accessKeyId).toMatch(/^AKIA[A-Z2-7]{16}$/);
      expect(secretAccessKey).toMatch(/^[A-Za-z0-9+/]{40}$/);
    }
    expect(new Set(keys.flatMap(({ accessKeyId, secretAccessKey }) => [accessKeyId, secretAccessKey])).size).toBe(200);
  });

  it('are kept by application and role, and found by the id that a request names', () => {
    const [one, two, other] = [key('aws', 'arn:a'), key('aws', 'arn:b'), key('billing', 'arn:a')];
    for (const each of [one, two, other]) saveKey(who(), each);
    expect(keysOf(who(), 'aws', 'arn:a')).toEqual([expect.objectContaining(one)]);
    expect(keysOf(who(), 'aws')).toHaveLength(2);
    expect(loadKey(who(), other.accessKeyId)).toMatchObject(other);
    expect(loadKey(who(), 'AKIAZZZZZZZZZZZZZZZZ')).toBeUndefined();
  });

  it('keep the session’s newer certificate, and stay away where a logout has taken them', () => {
    const one = key('aws', 'arn:a');
    saveKey(who(), one);
    renewKey(who(), one, { ...one.grant, agentIds: ['two'] });
    expect(loadKey(who(), one.accessKeyId)?.grant.agentIds).toEqual(['two']);
    who().store.kept(profile, 'key').remove(one.accessKeyId);
    renewKey(who(), one, one.grant);
    expect(loadKey(who(), one.accessKeyId)).toBeUndefined();
  });

  it('are none where the file is damaged: a login makes another', () => {
    const one = key('aws', 'arn:a');
    for (const text of ['', '{', 'null', JSON.stringify({ ...one, grant: {} }), JSON.stringify({ grant: one.grant })]) {
      who().store.kept(profile, 'key').save(one.accessKeyId, text);
      expect(loadKey(who(), one.accessKeyId)).toBeUndefined();
    }
  });
});
