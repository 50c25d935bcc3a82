import { createServer, type AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { ACCOUNT, type LocalAgent, type LocalAgentOptions, ROLE, sessionOf, startLocalAgent } from '#testing/local-agent.ts';

let agent: LocalAgent;
const cleanup: (() => void)[] = [];
const start = async (options: LocalAgentOptions = {}) => {
  agent = await startLocalAgent(options);
};
afterEach(async () => {
  await agent.stop();
  for (const undo of cleanup.splice(0)) undo();
});

const MINUTE = 60_000;
const asAgent = {
  check: () => undefined,
  awsCredentialOperations: () => 'cap' as const,
  authorize: () => ({ allowed: true as const, decision: { allowed: true, reason: '', steps: [] } }),
};
const signIn = (wish: { principal?: string; leftMs?: number; destination?: string; issuer?: string; standing?: typeof asAgent } = {}) => {
  const { destination = '', issuer = '', leftMs = 3 * 60 * MINUTE, principal, standing = agent.standing } = wish;
  const session = sessionOf({ standing, notAfterMs: Date.now() + leftMs, ...(principal === undefined ? {} : { principal }) });
  return agent.service.signInToConsole(session, { destination, issuer });
};
const sts = () => agent.emulator.log().filter(({ service }) => service === 'sts');
const durations = () => sts().map(({ parameters }) => Number(parameters?.['DurationSeconds']));

describe('a sign-in to the console', () => {
  it('is an address that shows the role and the person, and leads to the application’s page', async () => {
    await start();
    const { url, sessionSeconds, urlValidUntilMs } = await signIn();
    const address = new URL(url);
    expect(`${address.origin}${address.pathname}`).toBe('https://signin.aws.amazon.com/federation');
    expect(address.searchParams.get('Destination')).toBe('https://console.aws.amazon.com/console/home');
    expect(urlValidUntilMs - Date.now()).toBeLessThanOrEqual(15 * MINUTE);
    expect(sessionSeconds).toBeLessThanOrEqual(3 * 3600);
    const page = await fetch(`${agent.emulator.url}${address.pathname}${address.search}`, {
      headers: { host: address.host },
      redirect: 'manual',
    }).catch((error: unknown) => error);
    expect(page).toBeDefined();
    expect(agent.events.map(({ code, fields }) => [code, fields['phase']])).toEqual([
      ['T2014I', 'intent'],
      ['T2014I', 'outcome'],
    ]);
    expect(agent.events.at(-1)?.fields).toMatchObject({
      aws_role_arn: ROLE,
      destination: 'https://console.aws.amazon.com/console/home',
      session_seconds: sessionSeconds,
      aws_access_key_id: expect.stringMatching(/^ASIA/) as unknown,
    });
    const token = address.searchParams.get('SigninToken') ?? 'none';
    expect(JSON.stringify(agent.events)).not.toContain(token);
    expect(agent.logged()).not.toContain(token);
  });

  it('is handed to nobody who lost the role while AWS was asked', async () => {
    await start();
    let asked = 0;
    const refused = { allowed: false as const, cause: 'rules' as const, reason: 'the role was taken away' };
    const standing = { ...agent.standing, authorize: () => ((asked += 1) === 1 ? asAgent.authorize() : refused) } as typeof asAgent;
    await expect(signIn({ standing })).rejects.toMatchObject({ code: 'denied', message: 'the role was taken away' });
    expect(agent.events.at(-1)).toMatchObject({ success: false, fields: { phase: 'outcome', error: 'the role was taken away' } });
  });

  it('leads to a page of the console that is asked for, and nowhere else', async () => {
    await start();
    const { url } = await signIn({ destination: 'https://us-west-2.console.aws.amazon.com/dynamodbv2/home?region=us-west-2#tables' });
    expect(new URL(url).searchParams.get('Destination')).toMatch(/^https:\/\/us-west-2\.console\.aws\.amazon\.com\/dynamodbv2/);
    const before = agent.emulator.log().length;
    for (const destination of [
      'https://evil.example/',
      'https://console.aws.amazon.com.evil.example/',
      'https://console.aws.amazon.com@evil.example/',
      'https://evil.example\\.console.aws.amazon.com/',
      'javascript:alert(1)',
      'http://console.aws.amazon.com/',
      '//evil.example',
      'https://console.amazonaws.cn/',
    ])
      await expect(signIn({ destination }), destination).rejects.toMatchObject({ code: 'bad_request' });
    await expect(signIn({ issuer: 'http://evil.example/' })).rejects.toMatchObject({ code: 'bad_request' });
    expect(agent.emulator.log()).toHaveLength(before);
    expect(agent.events.at(-1)).toMatchObject({ code: 'T2014E', success: false, fields: { phase: 'refusal' } });
  });

  it.each([
    ['another role', `arn:aws:iam::${ACCOUNT}:role/Admin`],
    ['a role of the same name in another account', 'arn:aws:iam::999988887777:role/Reader'],
    ['one of another partition', `arn:aws-cn:iam::${ACCOUNT}:role/Reader`],
    ['its name in other letters', `arn:aws:iam::${ACCOUNT}:role/READER`],
    ['a star', '*'],
    ['a path with dots', `arn:aws:iam::${ACCOUNT}:role/a/../Reader`],
  ])('AP-08 with %s is refused, recorded, and STS is not asked', async (_what, principal) => {
    await start();
    await expect(signIn({ principal })).rejects.toMatchObject({ code: 'denied' });
    expect(agent.emulator.log()).toEqual([]);
    expect(agent.events).toMatchObject([{ code: 'T2014E', fields: { phase: 'refusal' } }]);
  });

  it('AP-09 lasts as long as the certificate at most, and is refused where AWS could not make it so short', async () => {
    await start();
    const { sessionSeconds } = await signIn({ leftMs: 20 * MINUTE });
    expect(sessionSeconds).toBeGreaterThan(1190);
    expect(sessionSeconds).toBeLessThanOrEqual(1200);
    expect(Math.max(...durations())).toBeLessThanOrEqual(1200);
    const before = agent.emulator.log().length;
    await expect(signIn({ leftMs: 10 * MINUTE })).rejects.toMatchObject({
      code: 'denied',
      message: expect.stringMatching(/15 min at least, and your session ends in (?:9 min|10 min)/) as unknown,
    });
    expect(agent.emulator.log()).toHaveLength(before);
  });

  it('lasts an hour at most where the agent’s own credentials are temporary, and more where they are not', async () => {
    await start();
    expect((await signIn({ leftMs: 8 * 60 * MINUTE })).sessionSeconds).toBeGreaterThan(7 * 3600);
    await agent.stop();
    const hop = `arn:aws:iam::${ACCOUNT}:role/Plain`;
    await start({ assumeRoleArn: hop });
    const { sessionSeconds } = await signIn({ leftMs: 8 * 60 * MINUTE });
    expect(sessionSeconds).toBe(3600);
    const asked = agent.emulator.log().find(({ path }) => path.includes('getSigninToken'));
    expect(asked?.path ?? '').not.toContain('SessionDuration');
  });

  it('AP-10 that fails on the way shows nothing of what was asked', async () => {
    const broken = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', (bytes) => socket.end(`HTTP/1.1 500 Oops\r\nContent-Length: ${bytes.length}\r\n\r\n${bytes.toString('latin1')}`));
    });
    await new Promise<void>((resolve) => broken.listen(0, '127.0.0.1', resolve));
    cleanup.push(() => broken.close());
    for (const url of [`http://127.0.0.1:${(broken.address() as AddressInfo).port}`, 'http://127.0.0.1:1', 'http://name.invalid']) {
      await start({ env: { AWS_ENDPOINT_URL_SIGNIN: url } });
      const error = await signIn().then(
        () => new Error('signed in'),
        (reason: unknown) => reason as Error,
      );
      const shown = JSON.stringify(agent.events) + agent.logged() + inspect(error, { depth: 10 });
      expect(error).toMatchObject({ code: 'unavailable' });
      for (const secret of ['SigninToken', 'sessionKey', 'sessionToken', 'Session=']) expect(shown).not.toContain(secret);
      expect(agent.events.at(-1)).toMatchObject({ code: 'T2014E', fields: { outcome: 'not_sent' } });
      await agent.stop();
    }
    await start();
  });
});
