import { readFileSync } from 'node:fs';
import { connect, type ClientHttp2Session } from 'node:http2';
import { join } from 'node:path';
import { Sha256 } from '@aws-crypto/sha256-js';
import { Cluster, ROLE } from '@postern/test-harness/cluster.ts';
import { freePort, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { EventStreamCodec } from '@smithy/core/event-streams';
import { SignatureV4 } from '@smithy/signature-v4';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDoor, openStage } from '#02-aws-guide/stage.ts';
import { tunnel } from '#03-aws-requests/tunnel.ts';

const cannot = lacking('openssl');
const HOST = 'bedrock-runtime.us-east-1.amazonaws.com';
const PATH = '/model/amazon.nova-sonic-v1%3A0/invoke-with-bidirectional-stream';
/** On a machine that does other things besides. */
const soon = <T>(ask: () => T) => expect.poll(ask, { timeout: 10_000 });
const program = join(import.meta.dirname, 'converse.ts');
const codec = new EventStreamCodec(
  (bytes) => Buffer.from(bytes as Uint8Array).toString('utf8'),
  (text) => Buffer.from(text, 'utf8'),
);

describe.skipIf(cannot !== undefined)('event streams to AWS over HTTP/2', () => {
  const cluster = new Cluster();
  let keys: NodeJS.ProcessEnv = {};
  const sessions: ClientHttp2Session[] = [];

  const streams = () => cluster.rawLog().filter(({ operation }) => operation === 'InvokeModelWithBidirectionalStream');
  const converse = async (env: NodeJS.ProcessEnv) =>
    JSON.parse(await cluster.mustSh(`${process.execPath} ${program}`, { env, timeoutMs: 60_000 })) as unknown;
  const told = { heard: ['one', 'two', 'three'], whole: { model: 'amazon.nova-sonic-v1:0', told: 'whole' } };

  beforeAll(async () => {
    await openStage(cluster, { tls: true });
    await cluster.mustSh(`tsh apps login --aws-role ${ROLE} aws`);
    keys = (await openDoor(cluster)).env;
  }, 120_000);
  afterAll(async () => {
    for (const session of sessions) session.destroy();
    await cluster.stop();
  });

  it('go both ways at once for the AWS SDK for JavaScript behind tsh proxy aws, each message signed by the role', async () => {
    expect(await converse(cluster.awsEnv(keys))).toEqual(told);
    expect(streams()).toMatchObject([{ verified: true, identity: { arn: expect.stringMatching(`${ROLE}/alice$`) as string } }]);
    expect(JSON.stringify(cluster.rawLog())).not.toContain(keys['AWS_ACCESS_KEY_ID']);
  }, 90_000);

  it('and with the profile of tsh up, of which the SDK knows nothing but its name', async () => {
    const config = { AWS_CONFIG_FILE: join(cluster.dir, 'aws-config'), AWS_SHARED_CREDENTIALS_FILE: join(cluster.dir, 'none') };
    const port = await freePort();
    await cluster.mustSh(`tsh aws configure --aws-role ${ROLE} --profile talk --region us-east-1`, { env: config });
    await cluster.mustSh(`tsh up --port ${port}`, { env: config });
    expect(await converse({ ...config, AWS_PROFILE: 'talk' })).toEqual(told);
    expect(streams()).toHaveLength(2);
    expect(streams().every(({ verified }) => verified)).toBe(true);
    await cluster.mustSh('tsh down');
  }, 90_000);

  it('stand in the audit log once before and once after', async () => {
    const events = await until('the events to have come to auth', 30_000, async () => {
      const all = JSON.parse(await cluster.admin('tctl audit ls --kind=app.session.request --limit=1000 -f json')) as Record<
        string,
        unknown
      >[];
      const ours = all.filter(({ path }) => path === PATH);
      return ours.length === 4 ? ours : undefined;
    });
    for (const phase of ['intent', 'outcome']) expect(events.filter((event) => event['phase'] === phase)).toHaveLength(2);
    expect(events.every((event) => event['user'] === 'alice' && event['aws_host'] === HOST)).toBe(true);
  }, 60_000);

  it('of the attacker are refused: another host than CONNECT’s, a guessed key, a message that is sent again', async () => {
    const before = streams().length;
    const elsewhere = await open({ host: 'bedrock-runtime.eu-west-1.amazonaws.com' });
    expect(await elsewhere.over).toMatch(/^403 .*not the host that the connection was opened to/s);
    const guessed = await open({ secret: 'guessed-by-another-user' });
    expect(await guessed.over).toMatch(/^403 .*does not match/s);
    expect(streams()).toHaveLength(before);

    const replayed = await open({});
    const message = await replayed.sign('transfer');
    replayed.stream.write(message);
    await soon(() => replayed.said()).toContain(Buffer.from('transfer').toString('base64'));
    replayed.stream.write(message);
    const said = await replayed.over;
    expect(said.split(Buffer.from('transfer').toString('base64'))).toHaveLength(2);
    expect(said).toMatch(/InvalidSignatureException.*the signature we calculated of a message/s);
    // What AWS got is one message, and an end that is none.
    await soon(() => streams().slice(before)).toMatchObject([{ verified: false, refusal: 'IncompleteBody' }]);
  }, 60_000);

  /** A stream whose every byte is the attacker's own, through the door of the person's. */
  async function open({ host = HOST, secret = keys['AWS_SECRET_ACCESS_KEY'] ?? '' }: { readonly host?: string; readonly secret?: string }) {
    const ca = readFileSync(keys['AWS_CA_BUNDLE'] ?? '');
    const socket = await tunnel({ proxy: keys['HTTPS_PROXY'] ?? '', host: HOST, ca });
    const session = connect(`https://${HOST}`, { createConnection: () => socket });
    session.on('error', () => undefined);
    sessions.push(session);
    const credentials = { accessKeyId: keys['AWS_ACCESS_KEY_ID'] ?? '', secretAccessKey: secret };
    const signer = new SignatureV4({ credentials, region: host.split('.')[1] ?? '', service: 'bedrock', sha256: Sha256 });
    const sent = {
      host,
      'content-type': 'application/vnd.amazon.eventstream',
      'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-EVENTS',
    };
    const { headers } = await signer.sign({ method: 'POST', protocol: 'https:', hostname: host, path: PATH, query: {}, headers: sent });
    const stream = session.request({ ...headers, ':method': 'POST', ':path': PATH });
    let said = '';
    stream.on('error', () => undefined);
    stream.on('response', (answer) => (said = `${answer[':status']} ${said}`));
    stream.on('data', (piece: Buffer) => (said += piece.toString('latin1')));
    const over = new Promise<string>((resolve) => stream.once('close', () => resolve(said)));
    const seed = /Signature=(\w+)/.exec(headers['authorization'] ?? '')?.[1] ?? '';
    const sign = async (text: string): Promise<Buffer> => {
      const part = Buffer.from(JSON.stringify({ bytes: Buffer.from(text).toString('base64') }));
      const body = codec.encode({ headers: { ':event-type': { type: 'string', value: 'chunk' } }, body: part });
      const signingDate = new Date();
      const dated = { ':date': { type: 'timestamp' as const, value: signingDate } };
      const { signature } = await signer.signMessage({ message: { headers: dated, body }, priorSignature: seed }, { signingDate });
      const signed = { ...dated, ':chunk-signature': { type: 'binary' as const, value: Buffer.from(signature, 'hex') } };
      return Buffer.from(codec.encode({ headers: signed, body }));
    };
    return { stream, over, said: () => said, sign };
  }
});
