import { describe, expect, it } from 'vitest';
import { chooseRole } from '#apps/choose-role.ts';
import type { VisibleApp } from '#apps/visible-apps.ts';

const arn = (name: string, account = '123456789012') => `arn:aws:iam::${account}:role/${name}`;
const app = (allowed: readonly string[], labels: Record<string, string> = {}): VisibleApp => ({
  name: 'aws',
  description: '',
  uri: 'https://console.aws.amazon.com/console/home',
  publicAddr: 'aws.example.com',
  labels,
  allowed,
  denied: [],
  json: {},
});

describe('the role that is meant', () => {
  it('is the one that is named, by its name or its ARN, or the only one there is', () => {
    const both = app([arn('Reader'), arn('team/Writer')]);
    expect(chooseRole(both, 'Reader').arn).toBe(arn('Reader'));
    expect(chooseRole(both, 'Writer').arn).toBe(arn('team/Writer'));
    expect(chooseRole(both, arn('Reader')).arn).toBe(arn('Reader'));
    expect(chooseRole(app([arn('Reader')]), undefined).arn).toBe(arn('Reader'));
  });

  it('is asked for where there are several: the flag, and a table sorted by name', () => {
    expect(() => chooseRole(app([arn('Writer'), arn('Reader')]), undefined)).toThrow(
      /^--aws-role is missing[^]*\n\nAvailable AWS roles:\nRole Name +Role ARN[^]*\nReader +arn:aws:iam::123456789012:role\/Reader\nWriter /,
    );
  });

  it('is nobody’s to give here where none is granted: it says whose decision that is', () => {
    expect(() => chooseRole(app([]), 'Reader')).toThrow(/whoever edits the cluster's roles decides that, with aws_role_arns/);
    expect(() => chooseRole(app([]), undefined)).toThrow(/application "aws"/);
  });

  it('is asked for as ARN where accounts share a name, unless the application is for one of them', () => {
    const two = [arn('Reader'), arn('Reader', '999999999999')];
    expect(() => chooseRole(app(two), 'Reader')).toThrow(/ARN/);
    expect(chooseRole(app(two, { aws_account_id: '999999999999' }), 'Reader').arn).toBe(two[1]);
  });

  it('is refused where it is not granted, with those that are', () => {
    expect(() => chooseRole(app([arn('Reader')]), 'Admin')).toThrow(/"Admin"[^]*role\/Reader/);
    expect(() => chooseRole(app([arn('Reader')]), arn('Reader', '999999999999'))).toThrow(/999999999999/);
  });
});
