import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readTeleportConfig } from '@postern/config';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exampleFaults } from '@postern/terminal/testing/example-faults';
import { runCommand } from '@postern/terminal/testing/run-command';
import { examples } from '#examples.ts';
import { teleportProgram } from '#program.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'teleport-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));
const teleport = (args: readonly string[]) => runCommand(join(import.meta.dirname, 'main.ts'), args);
const PIN = `sha256:${'a'.repeat(64)}`;
const agent = [
  'db',
  'configure',
  'create',
  '--token=/tmp/token',
  `--ca-pin=${PIN}`,
  '--proxy=example.com',
  '--name=example-dynamodb',
  '--protocol=dynamodb',
];
const aws = ['--aws-region=us-east-1', '--aws-account-id=123456789012'];

describe('teleport', () => {
  it('shows examples of every command, with flags that exist', () => {
    expect(exampleFaults(teleportProgram('0'), examples)).toEqual([]);
  });

  it('writes a configuration of an agent that can be read back', async () => {
    const file = join(dir, 'teleport.yaml');
    const wrote = await teleport([...agent, ...aws, '--labels=env=dev', '--output', `file://${file}`]);
    expect(wrote).toMatchObject({ code: 0, stdout: '', stderr: `wrote ${file}\nnext: teleport start -c ${file}\n` });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const config = readTeleportConfig({ file });
    expect(config).toMatchObject({ proxyServer: 'example.com:443', token: '/tmp/token', caPins: [PIN] });
    expect(config.db).toMatchObject({
      enabled: true,
      resources: [{ labels: { '*': ['*'] } }],
      databases: [{ name: 'example-dynamodb', staticLabels: { env: 'dev' }, aws: { region: 'us-east-1', accountId: '123456789012' } }],
    });
    const again = await teleport([...agent, '--output', `file://${file}`]);
    expect(again.code).toBe(1);
    expect(again.stderr).toContain('exists already');
  });

  it('leaves no blank that would start by mistake where the account is not said', async () => {
    const { stdout } = await teleport(agent);
    expect(stdout).toContain('CHANGEME-account-id');
    expect((await teleport([...agent, '--output', join(dir, 'blank.yaml')])).stderr).toContain('next: write what says CHANGEME');
    expect(() => readTeleportConfig({ file: 'printed', text: stdout })).toThrow(/account/);
  });

  it('writes a configuration of an application agent that can be read back', async () => {
    const uri = 'https://console.aws.amazon.com/console/home';
    const create = ['app', 'configure', 'create', '--token=/tmp/token', '--proxy=example.com', '--name=aws'];
    const { stdout } = await teleport([...create, `--uri=${uri}`, '--labels=env=dev', '--public-addr=aws.example.com']);
    const config = readTeleportConfig({ file: 'printed', text: stdout });
    expect(config).toMatchObject({
      proxyServer: 'example.com:443',
      token: '/tmp/token',
      auth: { enabled: false },
      proxy: { enabled: false },
    });
    expect(config.app).toEqual({
      enabled: true,
      resources: [{ labels: { '*': ['*'] } }],
      apps: [{ name: 'aws', uri, publicAddress: 'aws.example.com', labels: { env: 'dev' }, aws: {} }],
    });
    expect(readTeleportConfig({ file: 'printed', text: (await teleport([...create, '--cloud=AWS'])).stdout }).app?.apps).toHaveLength(1);
  });

  it('prints a commented configuration for auth and proxy that can be read', async () => {
    const { stdout } = await teleport(['configure', '--cluster-name=example.com', '--public-addr=example.com:443']);
    expect(stdout).toContain('#');
    const config = readTeleportConfig({ file: 'printed', text: stdout });
    expect(config.auth).toMatchObject({ enabled: true, clusterName: 'example.com' });
    expect(config.proxy).toMatchObject({
      enabled: true,
      publicAddress: ['example.com:443'],
      webListenAddress: { host: '0.0.0.0', port: 443 },
    });
    expect(config.db?.enabled).toBe(false);
    expect(config.app?.enabled).toBe(false);
  });

  it('writes a unit that takes away what the service does not need', async () => {
    const file = join(dir, 'teleport.service');
    expect((await teleport(['install', 'systemd', `--output=${file}`, '--teleport-path=/usr/local/bin/teleport'])).code).toBe(0);
    const unit = readFileSync(file, 'utf8');
    expect(unit).toContain('ExecStart=/usr/local/bin/teleport start --config /etc/teleport.yaml\n');
    for (const line of [
      'NoNewPrivileges=yes',
      'ProtectSystem=strict',
      'SystemCallFilter=@system-service',
      'LimitCORE=0',
      'LimitNOFILE=65536',
      'StateDirectory=teleport',
    ]) {
      expect(unit.split('\n')).toContain(line);
    }
    expect(unit).not.toContain('MemoryDenyWriteExecute');
    // The guide for applications writes the token into /tmp/token: in a /tmp of its own the service never found it, and never joined.
    expect(unit).not.toContain('PrivateTmp');
    expect((await teleport(['install', 'systemd', `--output=${file}`, '--teleport-path=/usr/local/bin/teleport'])).code).toBe(0);
  });

  it('puts nothing into a unit that systemd would read as something else', async () => {
    const said = await teleport(['install', 'systemd', '--config=/etc/a b;reboot.yaml', '--teleport-path=/usr/bin/teleport']);
    expect(said).toMatchObject({ code: 2, stdout: '' });
    expect(said.stderr).toContain('--config');
  });

  it.each([
    ['no proxy', ['db', 'configure', 'create', '--token=x'], 2, /--proxy is missing/],
    ['no token', ['db', 'configure', 'create', '--proxy=a'], 2, /--token is missing/],
    ['another protocol', ['db', 'configure', 'create', '--proxy=a', '--token=x', '--name=n', '--protocol=postgres'], 2, /postgres/],
    ['no address of an application', ['app', 'configure', 'create', '--proxy=a', '--token=x', '--name=n'], 2, /--uri is missing/],
    ['another cloud', ['app', 'configure', 'create', '--proxy=a', '--token=x', '--name=n', '--cloud=GCP'], 2, /GCP/],
    ['no such file', ['start', '-c', '/nonexistent/teleport.yaml'], 1, /\/nonexistent\/teleport.yaml/],
    ['a flag that is nearly right', ['start', '--confg=x'], 2, /Did you mean --config/],
    ['half a certificate', ['configure', '--cert-file=a'], 2, /--key-file/],
    ['an output that is none', ['configure', '--output=ftp://a/b'], 2, /--output/],
  ] as const)('%s: exit code and the name of what is wrong', async (_what, args, code, words) => {
    const said = await teleport(args);
    expect(said).toMatchObject({ code, stdout: '' });
    expect(said.stderr).toMatch(words);
  });

  it('refuses a file that enables nothing', async () => {
    const start = async (services: string) => {
      const file = join(dir, 'teleport.yaml');
      writeFileSync(file, `version: v3\nteleport:\n  data_dir: ${dir}/data\n  proxy_server: a:1\n  auth_token: x\n${services}`);
      return teleport(['start', '-c', file]);
    };
    const nothing = await start('db_service:\n  enabled: "no"\n');
    expect(nothing.code).toBe(1);
    expect(nothing.stderr).toMatch(/nothing is enabled/);
    expect(existsSync(join(dir, 'data'))).toBe(false);
  });
});
