import { describe, expect, it } from 'vitest';
import { isPrincipal, partitionOfRegion, principalSpellings } from '#certs/principal-spellings.ts';

const account = { id: '123456789012', partition: 'aws' };

describe('the spellings of an IAM role', () => {
  it('are the same three whichever of them is given', () => {
    const all = ['team/Writer', 'role/team/Writer', 'arn:aws:iam::123456789012:role/team/Writer'];
    for (const given of all) expect(principalSpellings(given, account)).toEqual(all);
  });

  it('of another account or partition is itself alone: its name means this account’s role', () => {
    for (const arn of ['arn:aws:iam::999999999999:role/Admin', 'arn:aws-cn:iam::123456789012:role/Admin'])
      expect(principalSpellings(arn, account)).toEqual([arn]);
  });

  it('come from the partition of the region', () => {
    expect(['us-east-1', 'cn-north-1', 'us-gov-west-1', 'eusc-de-east-1'].map(partitionOfRegion)).toEqual([
      'aws',
      'aws-cn',
      'aws-us-gov',
      'aws-eusc',
    ]);
  });
});

// A role with `db_users: '*'` had any text signed into a certificate, line breaks and terminal sequences included.
it('is known from a text that no IAM role can be', () => {
  for (const role of ['Reader', 'team/Writer', 'role/a/b/C', 'arn:aws-us-gov:iam::123456789012:role/x/y+=,.@-_'])
    expect([role, isPrincipal(role)]).toEqual([role, true]);
  for (const text of [
    '',
    '*',
    ' ',
    'a b',
    'a\nb',
    'a\0b',
    '\u001b[2J',
    'R\u00e9ader',
    'a/',
    '/',
    'a'.repeat(65),
    `${'p'.repeat(511)}/a`,
    '\u212aey',
  ])
    expect([text, isPrincipal(text)]).toEqual([text, false]);
});
