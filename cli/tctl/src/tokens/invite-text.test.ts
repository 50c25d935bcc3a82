import { describe, expect, it } from 'vitest';
import { inviteText } from '#tokens/invite-text.ts';

const answer = () => ({
  token: '0123456789abcdef0123456789abcdef',
  expiresMs: Date.now() + 3_600_000,
  caPins: [`sha256:${'a'.repeat(64)}`, `sha256:${'b'.repeat(64)}`],
  proxyAddress: 'example.com:443',
});

describe('the page that tctl tokens add prints', () => {
  it('is the one that scripts and people know, for a database', () => {
    expect(
      inviteText(answer(), ['db'], { type: ['db'], dbName: 'example-dynamodb', dbProtocol: 'dynamodb' }),
    ).toBe(`The invite token: 0123456789abcdef0123456789abcdef
This token will expire in 60 minutes.

Write the configuration of the database agent, then start it:

> teleport db configure create \\
   --token=0123456789abcdef0123456789abcdef \\
   --ca-pin=sha256:${'a'.repeat(64)} \\
   --ca-pin=sha256:${'b'.repeat(64)} \\
   --proxy=example.com:443 \\
   --name=example-dynamodb \\
   --protocol=dynamodb \\
   --output file:///etc/teleport.yaml

> teleport start -c /etc/teleport.yaml

Please note:

  - This invitation token will expire in 60 minutes.
  - example.com:443 must be reachable from the machine that joins.
  - The database must be reachable from the machine that joins.
`);
  });

  it('is the one that scripts and people know, for an application', () => {
    expect(
      inviteText(answer(), ['app'], { type: ['app'], appName: 'aws', appUri: 'https://console.aws.amazon.com/console/home' }),
    ).toBe(`The invite token: 0123456789abcdef0123456789abcdef
This token will expire in 60 minutes.

Fill out and run this command on a node to start proxying the application:

> teleport app start \\
   --token=0123456789abcdef0123456789abcdef \\
   --ca-pin=sha256:${'a'.repeat(64)} \\
   --ca-pin=sha256:${'b'.repeat(64)} \\
   --proxy=example.com:443 \\
   --name=aws \\
   --uri=https://console.aws.amazon.com/console/home

Your application will be available at aws.example.com.

Please note:

  - This invitation token will expire in 60 minutes.
  - example.com:443 must be reachable from the machine that joins.
  - Browsers need a DNS record for aws.example.com, and a certificate for it in https_keypairs of the proxy.
  - The machine that joins needs AWS credentials that may assume the roles of your users.
`);
    const unknownProxy = { ...answer(), proxyAddress: '' };
    expect(inviteText(unknownProxy, ['app'], { type: ['app'] })).toContain('available at aws.<proxy host>.');
  });

  it('quotes what a shell would read', () => {
    const text = inviteText(answer(), ['db'], { type: ['db'], dbName: 'x; rm -rf ~', dbUri: "a'b" });
    expect(text).toContain(`--name='x; rm -rf ~' \\`);
    expect(text).toContain(`--uri='a'\\''b' \\`);
  });

  it('says what to write for a proxy', () => {
    expect(inviteText(answer(), ['proxy'], { type: ['proxy'] })).toContain('token_name: 0123456789abcdef0123456789abcdef');
  });
});
