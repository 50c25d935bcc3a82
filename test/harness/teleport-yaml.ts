import { join } from 'node:path';

export interface AuthHost {
  readonly dir: string;
  readonly port: number;
  readonly storage?: readonly string[];
}

/** teleport.yaml of an auth host, as lines, so that a proxy_service can follow. */
export function authYaml({ dir, port, storage }: AuthHost): string[] {
  return [
    'version: v3',
    'teleport:',
    '  nodename: auth-host',
    `  data_dir: ${join(dir, 'auth')}`,
    ...(storage === undefined ? [] : ['  storage:', ...storage.map((line) => `    ${line}`)]),
    'auth_service:',
    '  enabled: "yes"',
    '  cluster_name: example.internal',
    `  listen_addr: 127.0.0.1:${port}`,
    '  authentication:',
    '    type: local',
    '    second_factor: off',
  ];
}

export function proxyServiceYaml({ dir, port }: { readonly dir: string; readonly port: number }): string[] {
  return [
    'proxy_service:',
    '  enabled: "yes"',
    `  web_listen_addr: 127.0.0.1:${port}`,
    `  public_addr: localhost:${port}`,
    '  https_keypairs:',
    `    - key_file: ${join(dir, 'web-key.pem')}`,
    `      cert_file: ${join(dir, 'web-cert.pem')}`,
  ];
}

export interface ProxyHost {
  readonly dir: string;
  readonly port: number;
  readonly authAddress: string;
  readonly token: string;
  readonly pin: string;
}

/** teleport.yaml of a host that runs the proxy alone and joins by token. */
export function proxyYaml({ dir, port, authAddress, token, pin }: ProxyHost): string[] {
  return [
    'version: v3',
    'teleport:',
    '  nodename: proxy-host',
    `  data_dir: ${join(dir, 'proxy')}`,
    `  auth_server: ${authAddress}`,
    `  auth_token: ${token}`,
    `  ca_pin: ${pin}`,
    'auth_service:',
    '  enabled: "no"',
    ...proxyServiceYaml({ dir, port }),
  ];
}
