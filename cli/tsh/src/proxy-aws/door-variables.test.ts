import { describe, expect, it } from 'vitest';
import { behindDoor, startedText, variableFormats } from '#proxy-aws/door-variables.ts';

const door = {
  accessKeyId: 'AKIAABCDEFGHIJKLMNOP',
  secretAccessKey: 'secret/+',
  caBundle: '/home/a b/.tsh/aws-localca.pem',
  proxy: 'http://127.0.0.1:23456',
};

describe('what tsh proxy aws prints', () => {
  it('is what the guide shows', () => {
    expect(startedText(door, { format: 'text', random: false })).toBe(
      [
        'Started AWS proxy on http://127.0.0.1:23456.',
        '',
        'Use the following credentials and HTTPS proxy setting to connect to the proxy:',
        '  AWS_ACCESS_KEY_ID=AKIAABCDEFGHIJKLMNOP',
        '  AWS_SECRET_ACCESS_KEY=secret/+',
        '  AWS_CA_BUNDLE=/home/a b/.tsh/aws-localca.pem',
        '  HTTPS_PROXY=http://127.0.0.1:23456',
        '',
      ].join('\n'),
    );
  });

  it.each([
    ['unix', '  export AWS_SECRET_ACCESS_KEY="secret/+"'],
    ['command-prompt', '  set AWS_SECRET_ACCESS_KEY=secret/+'],
    ['powershell', '  $Env:AWS_SECRET_ACCESS_KEY="secret/+"'],
  ] as const)('is for a shell in format %s', (format, line) => {
    expect(startedText(door, { format, random: false }).split('\n')).toContain(line);
  });

  it('cannot break out of the quotes of a shell', () => {
    const odd = { ...door, caBundle: '/tmp/"$(id)`id`\\' };
    expect(startedText(odd, { format: 'unix', random: false })).toContain('export AWS_CA_BUNDLE="/tmp/\\"\\$(id)\\`id\\`\\\\"');
    expect(startedText(odd, { format: 'powershell', random: false })).toContain('$Env:AWS_CA_BUNDLE="/tmp/`"`$(id)``id``\\"');
  });

  it('is one document in format json, and hints at --port where the port was chosen', () => {
    expect(JSON.parse(startedText(door, { format: 'json', random: true }))).toMatchObject({ env: { HTTPS_PROXY: door.proxy } });
    for (const format of variableFormats.filter((one) => one !== 'json'))
      expect(startedText(door, { format, random: true })).toContain('--port');
  });
});

describe('the environment behind the proxy', () => {
  it('has the four variables, and no session token or endpoint of another account', () => {
    const env = behindDoor({ PATH: '/bin', AWS_SESSION_TOKEN: 'real', AWS_ACCESS_KEY_ID: 'AKIAREAL', AWS_REGION: 'eu-west-1' }, door);
    expect(env).toMatchObject({
      PATH: '/bin',
      AWS_ACCESS_KEY_ID: door.accessKeyId,
      AWS_SECRET_ACCESS_KEY: door.secretAccessKey,
      AWS_CA_BUNDLE: door.caBundle,
      HTTPS_PROXY: door.proxy,
      https_proxy: door.proxy,
      AWS_REGION: 'eu-west-1',
      AWS_DEFAULT_REGION: 'eu-west-1',
      AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true',
    });
    expect(env).not.toHaveProperty('AWS_SESSION_TOKEN');
  });

  it('leads neither instance metadata through the proxy nor AWS around it', () => {
    const { NO_PROXY = '', no_proxy } = behindDoor({ NO_PROXY: 'internal.example, *, .amazonaws.com,sts.amazonaws.com' }, door);
    expect(NO_PROXY.split(',')).toEqual(
      expect.arrayContaining(['internal.example', 'localhost', '127.0.0.1', '169.254.169.254', '169.254.170.2']),
    );
    expect(NO_PROXY).not.toMatch(/amazonaws|\*/);
    expect(no_proxy).toBe(NO_PROXY);
  });
});
