import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:net';
import { createServer } from 'node:https';
import { PASSWORD } from '@postern/test-harness/cluster.ts';
import { type Daemon, freePort, until } from '@postern/test-harness/processes.ts';
import { lacking } from '@postern/test-harness/programs.ts';
import { Stage } from '@postern/test-harness/stage.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const cannot = lacking('openssl', 'aws', 'boto3');

describe.skipIf(cannot !== undefined)('on a person’s own machine', () => {
  const stage = new Stage();
  const { cluster } = stage;
  const at = (...path: readonly string[]) => join(cluster.dir, ...path);
  let agent: Daemon;
  let port = 0;
  const login = (person: string, more = '', proxy = cluster.proxy) =>
    cluster.sh(`tsh ${more} login --proxy=${proxy} --user=alice`, { person, input: `${PASSWORD}\n` });

  beforeAll(async () => {
    await stage.open();
    agent = stage.agent('agent');
    await stage.attached(agent);
    ({ port } = await stage.tunnel());
  });
  afterAll(() => cluster.stop());

  it('CL-03 the local port is on this machine alone, and on no address that others reach', async () => {
    const others = Object.values(networkInterfaces()).flatMap((list) =>
      (list ?? []).filter(({ internal, family }) => !internal && family === 'IPv4'),
    );
    for (const address of [...others.map((each) => each.address), '127.0.0.2']) {
      const reached = await new Promise<boolean>((resolve) => {
        const socket = connect({ port, host: address, timeout: 2_000 }, () => resolve(true));
        socket.on('error', () => resolve(false)).on('timeout', () => resolve(false));
      });
      expect([address, reached]).toEqual([address, false]);
    }
    const listening = readFileSync('/proc/net/tcp', 'latin1')
      .split('\n')
      .filter((line) => line.includes(`:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A`));
    expect(listening.map((line) => line.trim().split(/\s+/)[1]?.split(':')[0])).toEqual(['0100007F']);
    const open = await cluster.sh(`tsh proxy db --tunnel --listen=0.0.0.0:${await freePort()} --db-user=x example-dynamodb`);
    expect([open.code, open.stderr]).toEqual([2, expect.stringContaining('--insecure-listen-anywhere') as unknown]);
  });

  it('CL-05 keys are written for their owner alone, whatever the umask, and through no link', async () => {
    const said = await cluster.sh(`umask 0; tsh login --proxy=${cluster.proxy} --user=alice`, {
      person: 'careless',
      input: `${PASSWORD}\n`,
    });
    expect(said.code).toBe(0);
    const home = cluster.homeOf('careless');
    for (const path of ['.', ...readdirSync(home, { recursive: true, encoding: 'utf8' })])
      expect([path, statSync(join(home, path)).mode & 0o077]).toEqual([path, 0]);
    mkdirSync(at('theirs'), { mode: 0o700 });
    mkdirSync(at('home', 'linked'), { recursive: true });
    symlinkSync(at('theirs'), at('home', 'linked', '.tsh'));
    expect((await login('linked')).code).not.toBe(0);
    expect(readdirSync(at('theirs'))).toEqual([]);
    const keys = readdirSync(home, { recursive: true, encoding: 'utf8' }).filter((path) => statSync(join(home, path)).isFile());
    expect(keys.length).toBeGreaterThan(0);
    for (const path of keys) {
      writeFileSync(at('planted'), 'planted');
      chmodSync(at('planted'), 0o600);
      rmSync(join(home, path));
      symlinkSync(at('planted'), join(home, path));
    }
    expect((await cluster.sh('tsh db ls', { person: 'careless' })).code).not.toBe(0);
    await login('careless');
    expect(readFileSync(at('planted'), 'utf8')).toBe('planted');
  });

  it('CL-07 a proxy that cannot prove itself gets no password', async () => {
    const heard: string[] = [];
    const fakeDir = at('fake');
    mkdirSync(fakeDir);
    const make = (days: string, name: string) =>
      cluster.mustSh(
        `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes ${days} -subj /CN=${name} -addext subjectAltName=DNS:${name} -keyout fake/key.pem -out fake/cert.pem 2>/dev/null`,
      );
    const wanted: Record<string, string> = { 'of its own': '-days 2', 'of another name': '-days 2' };
    for (const [what, days] of Object.entries(wanted)) {
      await make(days, what === 'of its own' ? 'localhost' : 'proxy.example');
      const server = createServer(
        { key: readFileSync(at('fake', 'key.pem')), cert: readFileSync(at('fake', 'cert.pem')) },
        (request, response) => {
          heard.push(request.url ?? '');
          response.end('{}');
        },
      );
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
      const address = server.address();
      const fake = `localhost:${address !== null && typeof address === 'object' ? address.port : 0}`;
      const { code, stderr } = await login('fooled', '', fake);
      expect([what, code === 0, /certificate|trust|verif/i.test(stderr)]).toEqual([what, false, true]);
      server.close();
    }
    expect(heard).toEqual([]);
    expect((await login('fooled', '', `http://${cluster.proxy}`)).code).not.toBe(0);
    const unknown = { person: 'unsure', input: `${PASSWORD}\n`, env: { NODE_EXTRA_CA_CERTS: '' } };
    expect((await cluster.sh(`tsh login --proxy=${cluster.proxy} --user=alice`, unknown)).code).not.toBe(0);
    const insecure = await cluster.sh(`tsh --insecure login --proxy=${cluster.proxy} --user=alice`, unknown);
    expect([insecure.code, insecure.stderr]).toEqual([0, expect.stringContaining('not verified') as unknown]);
    // What was let pass once is not trusted the next time.
    await cluster.sh('tsh logout', { person: 'unsure' });
    expect((await cluster.sh(`tsh login --proxy=${cluster.proxy} --user=alice`, unknown)).code).not.toBe(0);
  });

  it('CL-09 debugging shows no secret', async () => {
    const said = [
      await login('debugging', '-d'),
      await cluster.sh('tsh -d status; tsh -d db ls; tsh -d proxy db --tunnel --db-user=Nobody example-dynamodb', { person: 'debugging' }),
      await cluster.sh(`tctl -d -c ${cluster.authConfig} tokens ls; tctl -d -c ${cluster.authConfig} get users`),
    ];
    const text = said.map(({ stdout, stderr }) => stdout + stderr).join('\n');
    expect(text.length).toBeGreaterThan(200);
    for (const secret of [PASSWORD, stage.token, 'PRIVATE KEY', 'wJalrXUtnFEMI']) expect(text).not.toContain(secret);
  });

  it('CL-11 clients hear in words of theirs, and in time, that the agent has gone', async () => {
    const env = cluster.awsEnv();
    const list = `aws dynamodb list-tables --endpoint-url=http://localhost:${port} --cli-read-timeout 20`;
    expect((await cluster.sh(list, { env })).code).toBe(0);
    await agent.stop('SIGKILL');
    const python = `import boto3,botocore
try: boto3.client('dynamodb', endpoint_url='http://localhost:${port}', config=botocore.config.Config(retries={'max_attempts': 1}, read_timeout=20)).list_tables()
except botocore.exceptions.ClientError as e: print(e.response['Error']['Code'], e.response['ResponseMetadata']['HTTPStatusCode'])`;
    for (const [line, input] of [
      [list, ''],
      ['python3 -', python],
    ] as const) {
      const startedMs = Date.now();
      const { stdout, stderr } = await cluster.sh(line, { env, input });
      expect([line, stdout + stderr]).toEqual([
        line,
        expect.stringMatching(/ServiceUnavailable|UnrecognizedClient|AccessDenied/) as unknown,
      ]);
      expect(Date.now() - startedMs).toBeLessThan(20_000);
    }
    await stage.attached(stage.agent('agent', { token: false }), agent.log().length);
    await until('requests to pass again', 30_000, async () => ((await cluster.sh(list, { env })).code === 0 ? true : undefined));
  });
});
