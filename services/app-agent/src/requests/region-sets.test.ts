import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4a } from '@smithy/signature-v4a';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { headOf, rawClient } from '#testing/far-side.ts';
import { ACCOUNT, LOCAL_KEY, type LocalAgent, ROLE, startLocalAgent } from '#testing/local-agent.ts';

let agent: LocalAgent;
beforeEach(async () => {
  agent = await startLocalAgent();
});
afterEach(() => agent.stop());

/** As SDKs sign where AWS's rules name sigv4a. */
async function ask(host: string, { service, path }: { readonly service: string; readonly path: string }): Promise<string> {
  agent.setFacts({ connectHost: host });
  const signer = new SignatureV4a({ service, region: '*', credentials: LOCAL_KEY, sha256: Sha256, applyChecksum: false });
  const request = {
    method: 'POST',
    protocol: 'https:',
    hostname: host,
    path,
    query: {},
    headers: { host, 'content-length': '2' },
    body: '{}',
  };
  const { headers } = await signer.sign(request, { signingDate: new Date() });
  const client = await rawClient(agent.port);
  client.send(`${headOf('POST', path, headers)}{}`);
  await expect.poll(() => client.said()).toMatch(/^HTTP\/1.1 \d+/);
  client.socket.destroy();
  return client.said().slice(9, 12);
}

it.each([
  ['abcde.veo.endpoint.events.amazonaws.com', 'events', '/'],
  ['ab12.g3h.endpoints.email.global.api.aws', 'ses', '/v2/email/outbound-emails'],
  [`${ACCOUNT}.cloudfront-kvs.global.api.aws`, 'cloudfront-keyvaluestore', '/key-value-stores/arn%3Aaws%3Ax/keys'],
])('%s is asked in the role’s name, signed for every region', async (host, service, path) => {
  expect(await ask(host, { service, path })).toBe('200');
  expect(agent.emulator.log().at(-1)).toMatchObject({ host, region: '*', verified: true, identity: { roleArn: ROLE } });
});

it('a store of another account is not', async () => {
  const host = '999988887777.cloudfront-kvs.global.api.aws';
  expect(await ask(host, { service: 'cloudfront-keyvaluestore', path: '/key-value-stores/x' })).toBe('403');
  expect(agent.emulator.log()).toEqual([]);
});
