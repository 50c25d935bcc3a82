import { describe, expect, it } from 'vitest';
import { partitionOfRegion, principalSpellings } from '#certs/principal-spellings.ts';

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
