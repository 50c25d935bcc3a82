import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { CreateAccessKeyCommand, IAMClient, ListUsersCommand } from '@aws-sdk/client-iam';
import { InvokeCommand, InvokeWithResponseStreamCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type Emulator, startEmulator } from '#index.ts';
import { present } from '#testing/present.ts';

const run = promisify(execFile);
const hasBoto = present('python3', ['-c', 'import boto3'], 'install boto3 for python3 to run its tests');
const key = { accessKeyId: 'AKIAEXAMPLEEXAMPLE00', secretAccessKey: 'secret' };
const directory = mkdtempSync(join(tmpdir(), 'emulator-services-'));
const arn = 'arn:aws:lambda:us-east-1:123456789012:function:echo';
let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator({
    accountId: '123456789012',
    accessKeys: [{ id: key.accessKeyId, secret: key.secretAccessKey, userName: 'deploy' }],
    roles: [{ name: 'Reader' }],
    hosts: 'any',
  });
});
afterAll(async () => {
  await emulator.close();
  rmSync(directory, { recursive: true });
});
const settings = () => ({ endpoint: emulator.url, region: 'us-east-1', credentials: key, maxAttempts: 1 });

describe('Lambda', () => {
  it('gives back what a function is given, called by name, by ARN and with a qualifier', async () => {
    const lambda = new LambdaClient(settings());
    for (const FunctionName of ['echo', arn]) {
      const answer = await lambda.send(new InvokeCommand({ FunctionName, Qualifier: 'LIVE', Payload: '{"a":1}' }));
      expect([answer.StatusCode, answer.Payload?.transformToString()]).toEqual([200, '{"a":1}']);
    }
    expect(emulator.log().at(-1)).toMatchObject({
      service: 'lambda',
      operation: 'Invoke',
      path: `/2015-03-31/functions/${encodeURIComponent(arn)}/invocations?Qualifier=LIVE`,
    });
    await expect(lambda.send(new InvokeCommand({ FunctionName: 'missing' }))).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  it('streams message by message, so that whoever holds them back is seen', async () => {
    emulator.setMode('InvokeWithResponseStream', { messageDelayMs: 40, times: 1 });
    const { EventStream: events = [] } = await new LambdaClient(settings()).send(
      new InvokeWithResponseStreamCommand({ FunctionName: 'echo', Payload: 'ten pieces of this text' }),
    );
    const times: number[] = [];
    let text = '';
    for await (const { PayloadChunk: chunk } of events as AsyncIterable<{ PayloadChunk?: { Payload?: Uint8Array } }>) {
      times.push(Date.now());
      text += Buffer.from(chunk?.Payload ?? []).toString();
    }
    expect(text).toBe('ten pieces of this text');
    expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThan(150);
  });
});

describe('IAM', () => {
  it('lists users, and makes a key that then signs', async () => {
    const iam = new IAMClient(settings());
    expect((await iam.send(new ListUsersCommand({}))).Users).toMatchObject([{ UserName: 'deploy', Path: '/' }]);
    const { AccessKey: made } = await iam.send(new CreateAccessKeyCommand({ UserName: 'deploy' }));
    const credentials = { accessKeyId: made?.AccessKeyId ?? '', secretAccessKey: made?.SecretAccessKey ?? '' };
    expect((await new IAMClient({ ...settings(), credentials }).send(new ListUsersCommand({}))).Users).toHaveLength(1);
    await expect(iam.send(new CreateAccessKeyCommand({ UserName: 'nobody' }))).rejects.toMatchObject({ name: 'NoSuchEntityException' });
  });
});

const env = {
  PATH: process.env['PATH'] ?? '',
  HOME: directory,
  AWS_ACCESS_KEY_ID: key.accessKeyId,
  AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
  AWS_DEFAULT_REGION: 'us-east-1',
  AWS_EC2_METADATA_DISABLED: 'true',
};

describe.skipIf(!hasBoto)('boto3', () => {
  const python = async (script: string, ...args: string[]) =>
    (await run('python3', ['-c', script, emulator.url, ...args], { env })).stdout.trim().split('\n');

  it('speaks every protocol, and reads what each says', async () => {
    const script = `
import boto3, sys, json
def c(name): return boto3.client(name, endpoint_url=sys.argv[1])
print([r['RegionName'] for r in c('ec2').describe_regions()['Regions']][0])
cw = c('cloudwatch'); cw.put_metric_data(Namespace='n', MetricData=[{'MetricName': 'm', 'Value': 1.5}])
print(cw.list_metrics()['Metrics'][0]['MetricName'])
print(c('route53').list_hosted_zones()['HostedZones'][0]['Name'])
b = c('bedrock-runtime'); print(json.load(b.invoke_model(modelId='anthropic.claude-v2:1', body=b'{}')['body'])['model'])
print(len(list(b.invoke_model_with_response_stream(modelId='m', body=b'{}')['body'])))
told = b.converse_stream(modelId='m', messages=[{'role': 'user', 'content': [{'text': 'word by word'}]}])['stream']
print([event['contentBlockDelta']['delta']['text'] for event in told if 'contentBlockDelta' in event])
print(c('sqs').list_queues().get('QueueUrls'), c('sns').list_topics().get('Topics'), c('glacier').list_vaults(accountId='-').get('VaultList'))
`;
    const lines = await python(script);
    const words = "['word ', 'by ', 'word']";
    expect(lines).toEqual(['eu-west-1', 'm', 'example.com.', 'anthropic.claude-v2:1', '10', words, expect.stringContaining('None')]);
    const paths = emulator.log().map(({ path }) => path);
    expect(paths).toContain('/model/anthropic.claude-v2%3A1/invoke');
    expect(
      emulator
        .log()
        .slice(-10)
        .every(({ verified }) => verified),
    ).toBe(true);
  });

  it('reads a refusal of every protocol: the code, and why', async () => {
    const script = `
import boto3, sys
from botocore.exceptions import ClientError
def c(name): return boto3.client(name, endpoint_url=sys.argv[1], aws_secret_access_key='wrong', aws_access_key_id='${key.accessKeyId}')
for name, call in [('ec2', 'describe_regions'), ('cloudwatch', 'list_metrics'), ('route53', 'list_hosted_zones'), ('lambda', 'list_functions'),
    ('s3', 'list_buckets'), ('iam', 'list_users'), ('dynamodb', 'list_tables'), ('sqs', 'list_queues')]:
  try: getattr(c(name), call)()
  except ClientError as error: print(name, error.response['Error']['Code'], 'does not match' in error.response['Error']['Message'])
`;
    expect(await python(script)).toEqual([
      'ec2 SignatureDoesNotMatch True',
      'cloudwatch InvalidSignatureException True',
      'route53 SignatureDoesNotMatch True',
      'lambda InvalidSignatureException True',
      's3 SignatureDoesNotMatch True',
      'iam SignatureDoesNotMatch True',
      'dynamodb InvalidSignatureException True',
      'sqs InvalidSignatureException True',
    ]);
  });

  it('gets credentials in every way that STS has, and signs in advance', async () => {
    const script = `
import boto3, sys, json, base64, time, urllib.request
from botocore.exceptions import ClientError
def c(**more): return boto3.client('sts', endpoint_url=sys.argv[1], **more)
def who(answer):
  k = answer['Credentials']
  return c(aws_access_key_id=k['AccessKeyId'], aws_secret_access_key=k['SecretAccessKey'], aws_session_token=k['SessionToken'])
b64 = lambda o: base64.urlsafe_b64encode(json.dumps(o).encode()).decode().rstrip('=')
jwt = lambda exp: '.'.join([b64({'alg': 'RS256'}), b64({'iss': 'https://idp', 'sub': 'pod', 'aud': 'sts.amazonaws.com', 'exp': exp}), 'sig'])
role = 'arn:aws:iam::123456789012:role/Reader'
web = c().assume_role_with_web_identity(RoleArn=role, RoleSessionName='pod', WebIdentityToken=jwt(time.time() + 60))
print(who(web).get_caller_identity()['Arn'], web['Provider'])
saml = '<samlp:Response xmlns:samlp="p" xmlns:saml="s"><saml:Issuer>idp</saml:Issuer><saml:Assertion><saml:Subject><saml:NameID>ann</saml:NameID></saml:Subject><saml:AttributeStatement><saml:Attribute Name="https://aws.amazon.com/SAML/Attributes/RoleSessionName"><saml:AttributeValue>ann</saml:AttributeValue></saml:Attribute></saml:AttributeStatement></saml:Assertion></samlp:Response>'
sam = c().assume_role_with_saml(RoleArn=role, PrincipalArn='arn:aws:iam::123456789012:saml-provider/idp', SAMLAssertion=base64.b64encode(saml.encode()).decode())
print(who(sam).get_caller_identity()['Arn'], sam['Issuer'])
session = c().get_session_token(DurationSeconds=900); print(who(session).get_caller_identity()['Arn'])
guest = c().get_federation_token(Name='guest'); print(who(guest).get_caller_identity()['Arn'])
def refused(call, **more):
  try: call(**more); print('taken')
  except ClientError as error: print(error.response['Error']['Code'])
refused(who(session).get_session_token)
refused(who(guest).get_federation_token, Name='again')
refused(c().assume_role_with_web_identity, RoleArn=role, RoleSessionName='pod', WebIdentityToken=jwt(time.time() - 60))
refused(c().assume_role_with_web_identity, RoleArn=role, RoleSessionName='pod', WebIdentityToken='a.b.c')
refused(c().assume_role_with_web_identity, RoleArn=role + 'x', RoleSessionName='pod', WebIdentityToken=jwt(time.time() + 60))
refused(who(web).assume_role, RoleArn=role, RoleSessionName='me', DurationSeconds=43200)
url = c().generate_presigned_url('get_caller_identity', HttpMethod='GET')
print(urllib.request.urlopen(url).status)
`;
    expect(await python(script)).toEqual([
      'arn:aws:sts::123456789012:assumed-role/Reader/pod https://idp',
      'arn:aws:sts::123456789012:assumed-role/Reader/ann idp',
      'arn:aws:iam::123456789012:user/deploy',
      'arn:aws:sts::123456789012:federated-user/guest',
      'AccessDenied',
      'AccessDenied',
      'ExpiredToken',
      'InvalidIdentityToken',
      'AccessDenied',
      'ValidationError',
      '200',
    ]);
    const logged = JSON.stringify(emulator.log().filter(({ operation }) => operation?.startsWith('AssumeRoleWith')));
    expect(logged).toContain('"WebIdentityToken":"-"');
    expect(logged).toContain('"SAMLAssertion":"-"');
  });
});
