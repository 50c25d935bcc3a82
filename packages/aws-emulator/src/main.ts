import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { startControl } from '#control.ts';
import { startEmulator } from '#emulator.ts';
import type { EmulatorOptions } from '#options.ts';
import { startEcho } from '#ssmmessages/echo.ts';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '4566' },
    account: { type: 'string', default: '123456789012' },
    region: { type: 'string', default: 'us-east-1' },
    role: { type: 'string', multiple: true, default: ['ExampleTeleportDynamoDBRole'] },
    table: { type: 'string', multiple: true, default: [] },
    bucket: { type: 'string', multiple: true, default: [] },
    'access-key-id': { type: 'string', default: 'AKIAPOSTERNEMULATOR0' },
    'secret-access-key': { type: 'string', default: 'postern-emulator-secret' },
    'raw-log': { type: 'string' },
    'any-host': { type: 'boolean', default: false },
    'control-port': { type: 'string' },
    'tls-port': { type: 'string' },
    'tls-key': { type: 'string' },
    'tls-cert': { type: 'string' },
    'echo-port': { type: 'string' },
    'external-id': { type: 'string' },
    'max-session-seconds': { type: 'string', default: '3600' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (values.help) {
  process.stdout.write(`node src/main.ts [--port=4566] [--account=ID] [--region=REGION] [--role=NAME ...] [--table=NAME ...] [--bucket=NAME ...]
  [--access-key-id=ID] [--secret-access-key=SECRET] [--raw-log=FILE] [--any-host] [--control-port=PORT]
  [--tls-port=PORT --tls-key=FILE --tls-cert=FILE] [--echo-port=PORT] [--external-id=ID] [--max-session-seconds=SECONDS]
`);
  process.exit(0);
}

const emulator = await startEmulator({
  port: Number(values.port),
  accountId: values.account,
  roles: values.role.map((role) => ({
    ...(role.startsWith('arn:') ? { arn: role } : { name: role }),
    trusts: { tags: true, sourceIdentity: true, ...(values['external-id'] === undefined ? {} : { externalId: values['external-id'] }) },
    maxSessionDurationSeconds: Number(values['max-session-seconds']),
  })),
  accessKeys: [{ id: values['access-key-id'], secret: values['secret-access-key'] }],
  hosts: values['any-host'] ? 'any' : 'aws',
  ...tlsListener(),
  ...(values['raw-log'] === undefined ? {} : { rawLog: values['raw-log'] }),
});
for (const name of values.table)
  await emulator.seedTable(values.region, { name, items: [{ id: { S: '1' }, note: { S: `the first item of ${name}` } }] });
if (values['echo-port'] !== undefined) await startEcho(Number(values['echo-port']));
for (const bucket of values.bucket) emulator.seedObject(values.region, { bucket });
if (values['control-port'] !== undefined) await startControl(emulator, Number(values['control-port']));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void emulator.close().then(() => process.exit(0)));
process.stderr.write(`AWS emulator on ${emulator.url}, account ${values.account}; set it as AWS_ENDPOINT_URL of an agent\n`);

/** A second door, for browsers that are to believe that they speak with AWS. */
function tlsListener(): Pick<EmulatorOptions, 'alsoTls'> {
  const { 'tls-port': port, 'tls-key': key, 'tls-cert': cert } = values;
  if (port === undefined || key === undefined || cert === undefined) return {};
  return { alsoTls: { port: Number(port), key: readFileSync(key), cert: readFileSync(cert) } };
}
