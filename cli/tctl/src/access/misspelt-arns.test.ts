import { expect, it } from 'vitest';
import { misspeltArns } from '#access/misspelt-arns.ts';

it('tells an ARN of a role from a text that was meant as one, also around a template', () => {
  const good = [
    'arn:aws:iam::123456789012:role/Reader',
    'arn:aws-us-gov:iam::123456789012:role/team/Reader',
    'arn:aws:iam::123456789012:role/{{email.local(external.email)}}',
    'arn:aws:iam::{{external.account}}:role/Reader',
    '{{internal.aws_role_arns}}',
    '*',
  ];
  expect(misspeltArns(good)).toEqual([]);
  const misspelt = [
    'arn:aws:iam::aws-account-id:role/ExampleTeleportDynamoDBRole',
    'arn:aws:iam:123456789000:role/role_for_alice',
    'arn:aws:iam:123456789000:role/{{email.local(external.email)}}',
    'arn:aws:sts::123456789012:assumed-role/Reader/alice',
    'arn:aws:iam::123456789012:role/',
    'Reader',
    'role-of-{{external.team}}',
  ];
  expect(misspeltArns([...good, ...misspelt])).toHaveLength(misspelt.length);
  expect(misspeltArns(misspelt)[1]).toBe(
    'arn:aws:iam:123456789000:role/role_for_alice is not the ARN of a role and grants nothing: write arn:aws:iam::123456789012:role/NAME',
  );
});
