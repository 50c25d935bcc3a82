import { parseArgs } from 'node:util';

import { startControl } from '#control.ts';
import { startEmulator } from '#emulator.ts';

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
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (values.help) {
  process.stdout.write(`node src/main.ts [--port=4566] [--account=ID] [--region=REGION] [--role=NAME ...] [--table=NAME ...] [--bucket=NAME ...]
  [--access-key-id=ID] [--secret-access-key=SECRET] [--raw-log=FILE] [--any-host] [--control-port=PORT]
`);
  process.exit(0);
}

const emulator = await startEmulator({
  port: Number(values.port),
  accountId: values.account,
  roles: values.role.map((name) => ({ name, trusts: { tags: true, sourceIdentity: true } })),
  accessKeys: [{ id: values['access-key-id'], secret: values['secret-access-key'] }],
  hosts: values['any-host'] ? 'any' : 'aws',
  ...(values['raw-log'] === undefined ? {} : { rawLog: values['raw-log'] }),
});
for (const name of values.table)
  await emulator.seedTable(values.region, { name, items: [{ id: { S: '1' }, note: { S: `the first item of ${name}` } }] });
for (const bucket of values.bucket) emulator.seedObject(values.region, { bucket });
if (values['control-port'] !== undefined) await startControl(emulator, Number(values['control-port']));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void emulator.close().then(() => process.exit(0)));
process.stderr.write(`AWS emulator on ${emulator.url}, account ${values.account}; set it as AWS_ENDPOINT_URL of an agent\n`);
