import { afterEach, beforeEach, expect, it } from 'vitest';
import { type FarSide, startFarSide } from '#testing/far-side.ts';
import { ACCOUNT, allowReader, type LocalAgent, startLocalAgent } from '#testing/local-agent.ts';
import { signedCall } from '#testing/signed-call.ts';

const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
let agent: LocalAgent;
let far: FarSide;
/** What AWS would say, whatever it is asked. */
let answer: { readonly type: string; readonly body: string };

beforeEach(async () => {
  far = await startFarSide(({ socket }) =>
    socket.on('data', () => {
      const { type, body } = answer;
      socket.write(`HTTP/1.1 200 OK\r\nDate: x\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    }),
  );
  agent = await startLocalAgent({ env: { AWS_ENDPOINT_URL_S3EXPRESS: far.url, AWS_ENDPOINT_URL_LAKEFORMATION: far.url } });
});
afterEach(async () => {
  await agent.stop();
  far.close();
});

// The name of the bucket was taken for that of S3 Control, and the keys came with status 200 and no word of them in the log.
it.each(['deny', 'cap'] as const)('a session of S3 Express is not handed out under %s, whatever its bucket is called', async (option) => {
  answer = { type: 'application/xml', body: `<Credentials><SecretAccessKey>${SECRET}</SecretAccessKey></Credentials>` };
  agent.setRoles([{ ...allowReader, options: { awsCredentialOperations: option } }]);
  for (const name of ['plain', 's3-control-x']) {
    const host = `${name}--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com`;
    agent.setFacts({ connectHost: host });
    const headers = { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' };
    const { status, text } = await signedCall(agent, { service: 's3express', method: 'GET', path: '/?session', host, headers });
    expect([status, text]).toEqual([403, expect.stringMatching(/s3express:CreateSession/)]);
    expect(agent.events.at(-1)?.fields).toMatchObject({ phase: 'refusal', operation: 'CreateSession' });
  }
  expect(far.connections).toEqual([]);
});

// STS answers in JSON whoever accepts that, in which the ids of keys were not looked for.
it('keys are asked for in the protocol of the request alone, and what comes in JSON all the same is recorded', async () => {
  const ask = `Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::${ACCOUNT}:role/Plain&RoleSessionName=x`;
  const type = 'application/x-www-form-urlencoded';
  await signedCall(agent, { service: 'sts', headers: { 'content-type': type, accept: 'application/json' }, body: ask });
  const came = agent.emulator.log().findLast(({ identity }) => identity?.roleArn !== undefined);
  expect(came?.operation).toBe('AssumeRole');
  expect(JSON.stringify(came?.headers)).toMatch(/content-type/i);
  expect(JSON.stringify(came?.headers)).not.toMatch(/accept/i);
  answer = { type: 'application/json', body: JSON.stringify({ AccessKeyId: 'ASIAJSON', SecretAccessKey: SECRET }) };
  const path = '/GetTemporaryGlueTableCredentials';
  await signedCall(agent, { service: 'lakeformation', path, headers: { accept: 'application/xml' }, body: '{}' });
  expect(agent.events.at(-1)?.fields).toMatchObject({ operation: path.slice(1), handed_out: ['ASIAJSON'] });
  expect(far.connections[0]?.text()).not.toMatch(/^accept:/im);
});
