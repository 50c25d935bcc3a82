import { execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LOCAL_KEY, type LocalAgent, startLocalAgent } from '#testing/local-agent.ts';

let agent: LocalAgent;
beforeEach(async () => {
  agent = await startLocalAgent();
  agent.emulator.seedObject('us-east-1', { bucket: 'files', key: 'seeded', body: 'seeded' });
});
afterEach(() => agent.stop());

/** Skips where the machine lacks the program, and says so; fails where everything is demanded. */
function has(name: string, probe: readonly string[]): boolean {
  const found = spawnSync(probe[0] ?? '', probe.slice(1), { stdio: 'ignore' }).status === 0;
  if (!found && (process.env['CI'] || process.env['REQUIRE_ALL'])) throw new Error(`${name} is needed by this test`);
  if (!found) console.warn(`skipped: install ${name} to run this test`);
  return found;
}
const run = promisify(execFile);
const environment = () => ({
  ...process.env,
  AWS_ACCESS_KEY_ID: LOCAL_KEY.accessKeyId,
  AWS_SECRET_ACCESS_KEY: LOCAL_KEY.secretAccessKey,
  AWS_DEFAULT_REGION: 'us-east-1',
  AWS_ENDPOINT_URL: agent.url,
  AWS_MAX_ATTEMPTS: '1',
  AWS_EC2_METADATA_DISABLED: 'true',
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
});

describe.runIf(has('boto3 (pip install boto3)', ['python3', '-c', 'import boto3']))('boto3 with an endpoint and the local key', () => {
  it('puts and gets objects under odd keys, in every mode that it has, and by pre-signed addresses', async () => {
    const script = `
import boto3, io, urllib.error, urllib.request
from botocore.config import Config
s3 = boto3.client('s3', config=Config(signature_version='s3v4', s3={'addressing_style': 'path'}))
for key in ["a b+c%2F=&:,@()!*'/u/../~", '..', 'a//b', 'trailing/', 'caf\\u00e9 \\U0001F3B2']:
    s3.put_object(Bucket='files', Key=key, Body=b'of ' + key.encode(), Metadata={'odd': 'a   b'})
    got = s3.get_object(Bucket='files', Key=key)
    assert got['Body'].read() == b'of ' + key.encode(), key
    assert s3.head_object(Bucket='files', Key=key)['ContentLength'] == len(b'of ' + key.encode())
s3.upload_fileobj(io.BytesIO(b'x' * 20_000_000), 'files', 'large')
assert s3.head_object(Bucket='files', Key='large')['ContentLength'] == 20_000_000
url = s3.generate_presigned_url('get_object', Params={'Bucket': 'files', 'Key': 'seeded'}, ExpiresIn=60)
print(urllib.request.urlopen(url).read().decode())
put = s3.generate_presigned_url('put_object', Params={'Bucket': 'files', 'Key': 'by-url'}, ExpiresIn=60)
urllib.request.urlopen(urllib.request.Request(put, data=b'by url', method='PUT', headers={'Content-Type': 'text/plain'}))
old = boto3.client('s3', config=Config(signature_version='s3')).generate_presigned_url('get_object', Params={'Bucket': 'files', 'Key': 'seeded'})
try: urllib.request.urlopen(old)
except urllib.error.HTTPError as error: print(error.code, 'Signature Version 4' in error.read().decode())
print(s3.get_object(Bucket='files', Key='by-url')['Body'].read().decode(), boto3.client('sts').get_caller_identity()['Arn'])
`;
    const { stdout } = await run('python3', ['-c', script], { env: environment() });
    expect(stdout).toBe('seeded\n400 True\nby url arn:aws:sts::111122223333:assumed-role/Reader/alice\n');
    const seen = agent.emulator.log().filter(({ service }) => service === 's3');
    expect(seen.filter(({ verified }) => !verified)).toEqual([]);
    expect(JSON.stringify(seen)).not.toContain(LOCAL_KEY.accessKeyId);
  }, 60_000);

  it('shows the sentence of a refusal in each protocol', async () => {
    agent.setRoles([]);
    const script = `
import boto3, botocore
def shown(call):
    try: call()
    except botocore.exceptions.ClientError as error: print(error.response['Error']['Code'], 'no role allows' in error.response['Error'].get('Message', ''))
c = boto3.client
shown(lambda: c('dynamodb').list_tables())
shown(lambda: c('logs').describe_log_groups())
shown(lambda: c('lambda').list_functions())
shown(lambda: c('iam').list_users())
shown(lambda: c('ec2').describe_instances())
shown(lambda: c('s3').list_buckets())
shown(lambda: c('route53').list_hosted_zones())
`;
    const { stdout } = await run('python3', ['-c', script], { env: environment() });
    expect(stdout.trim().split('\n')).toEqual([
      'AccessDeniedException True',
      'AccessDeniedException True',
      'AccessDeniedException True',
      'AccessDenied True',
      'UnauthorizedOperation True',
      'AccessDenied True',
      'AccessDenied True',
    ]);
  }, 60_000);
});

describe.runIf(has('the AWS CLI', ['aws', '--version']))('the AWS CLI with an endpoint and the local key', () => {
  it('copies up and down, and says who it is', async () => {
    const body = randomBytes(30_000).toString('base64');
    const command = `printf %s '${body}' | aws s3 cp - s3://files/up && aws s3 cp s3://files/up - && aws sts get-caller-identity --query Arn --output text`;
    const { stdout } = await run('sh', ['-c', command], { env: environment(), maxBuffer: 1e7 });
    expect(stdout).toBe(`${body}arn:aws:sts::111122223333:assumed-role/Reader/alice\n`);
  }, 60_000);
});
