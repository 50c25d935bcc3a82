import { describe, expect, it } from 'vitest';
import { loggedInApp } from '#apps/app-login.ts';
import { exampleCommand } from '#apps/login-to-app.ts';
import { profile, somebody } from '#testing/somebody.ts';

const who = somebody();

const logIn = (name: string) => who().store.kept(profile, 'app').save(name, '{}\n');

describe('the application that is meant', () => {
  it('is the only one that there is, or the one that is named', () => {
    expect(() => loggedInApp(who(), {})).toThrow('not logged in to an AWS application');
    logIn('aws');
    expect(loggedInApp(who(), {})).toBe('aws');
    logIn('aws-eu');
    expect(loggedInApp(who(), { app: 'aws-eu' })).toBe('aws-eu');
    expect(() => loggedInApp(who(), { app: 'other' })).toThrow('not logged in to application "other"');
  });

  // tsh apps console named a flag that it has not.
  it('is asked for as the command takes it', () => {
    logIn('aws');
    logIn('aws-eu');
    expect(() => loggedInApp(who(), {})).toThrow('choose one with --app=<name> (aws, aws-eu)');
    expect(() => loggedInApp(who(), { isOperand: true })).toThrow('write one of them behind the command (aws, aws-eu)');
  });

  it('stands in the example after a login to a second one', () => {
    logIn('aws');
    expect(exampleCommand(who(), 'aws')).toBe('tsh aws s3 ls');
    logIn('aws-eu');
    expect(exampleCommand(who(), 'aws-eu')).toBe('tsh aws --app aws-eu s3 ls');
  });
});
