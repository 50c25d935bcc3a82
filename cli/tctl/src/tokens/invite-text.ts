import type { AddTokenResponse } from '@postern/api';
import type { AddTokenFlags } from '#tokens/add-token.ts';

const MS_PER_MINUTE = 60_000;

/** What to type on the machine that joins. Scripts read the first line: "The invite token: T". */
export function inviteText(answer: AddTokenResponse, roles: readonly string[], flags: AddTokenFlags): string {
  const minutes = Math.round((answer.expiresMs - Date.now()) / MS_PER_MINUTE);
  const proxy = answer.proxyAddress === '' ? '<proxy host:port>' : answer.proxyAddress;
  const steps = roles.includes('db')
    ? databaseSteps(answer, proxy, flags)
    : roles.includes('app')
      ? appSteps(answer, proxy, flags)
      : configurationSteps(answer, roles, proxy);
  return [
    `The invite token: ${answer.token}`,
    `This token will expire in ${minutes} minutes.`,
    '',
    ...steps,
    '',
    'Please note:',
    '',
    `  - This invitation token will expire in ${minutes} minutes.`,
    `  - ${proxy} must be reachable from the machine that joins.`,
    ...(roles.includes('db') ? ['  - The database must be reachable from the machine that joins.'] : []),
    ...(roles.includes('app') ? appNotes(proxy, flags) : []),
    '',
  ].join('\n');
}

function databaseSteps(answer: AddTokenResponse, proxy: string, flags: AddTokenFlags): readonly string[] {
  const values: readonly (readonly [string, string])[] = [
    ['--token', answer.token],
    ...answer.caPins.map((pin) => ['--ca-pin', pin] as const),
    ['--proxy', proxy],
    ['--name', flags.dbName ?? 'example-dynamodb'],
    ['--protocol', flags.dbProtocol ?? 'dynamodb'],
    ...(flags.dbUri === undefined ? [] : [['--uri', flags.dbUri] as const]),
  ];
  return [
    'Write the configuration of the database agent, then start it:',
    '',
    '> teleport db configure create \\',
    ...values.map(([name, value]) => `   ${name}=${quoted(value)} \\`),
    '   --output file:///etc/teleport.yaml',
    '',
    '> teleport start -c /etc/teleport.yaml',
  ];
}

function appSteps(answer: AddTokenResponse, proxy: string, flags: AddTokenFlags): readonly string[] {
  const name = flags.appName ?? EXAMPLE_APP;
  const values: readonly (readonly [string, string])[] = [
    ['--token', answer.token],
    ...answer.caPins.map((pin) => ['--ca-pin', pin] as const),
    ['--proxy', proxy],
    ['--name', name],
    ['--uri', flags.appUri ?? 'https://console.aws.amazon.com/console/home'],
  ];
  const lines = values.map(([flag, value], at) => `   ${flag}=${quoted(value)}${at === values.length - 1 ? '' : ' \\'}`);
  return [
    'Fill out and run this command on a node to start proxying the application:',
    '',
    '> teleport app start \\',
    ...lines,
    '',
    `Your application will be available at ${name}.${withoutPort(proxy)}.`,
  ];
}

const EXAMPLE_APP = 'aws';

function appNotes(proxy: string, flags: AddTokenFlags): readonly string[] {
  return [
    `  - Browsers need a DNS record for ${flags.appName ?? EXAMPLE_APP}.${withoutPort(proxy)}, and a certificate for it in https_keypairs of the proxy.`,
    '  - The machine that joins needs AWS credentials that may assume the roles of your users.',
  ];
}

function withoutPort(address: string): string {
  return address.replace(/:(?:\d+|port>)$/, '').replace('<proxy host', '<proxy host>');
}

function configurationSteps(answer: AddTokenResponse, roles: readonly string[], proxy: string): readonly string[] {
  return [
    `Write this into teleport.yaml of the machine that joins as ${roles.join(' and ')}, then start it:`,
    '',
    '  teleport:',
    `    proxy_server: ${proxy}`,
    '    join_params:',
    '      method: token',
    `      token_name: ${answer.token}`,
    '    ca_pin:',
    ...answer.caPins.map((pin) => `      - ${pin}`),
    '',
    '> teleport start -c /etc/teleport.yaml',
  ];
}

/** For a POSIX shell: single quotes keep everything but a single quote. */
function quoted(text: string): string {
  return /^[\w.,:/@+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
