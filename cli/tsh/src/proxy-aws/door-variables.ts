/** What a program has to be told to use the forward proxy. */
export interface DoorVariables {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly caBundle: string;
  readonly proxy: string;
}

export const variableFormats = ['unix', 'command-prompt', 'powershell', 'text', 'json'] as const;
export type VariableFormat = (typeof variableFormats)[number];

export function isVariableFormat(text: string): text is VariableFormat {
  return variableFormats.some((format) => format === text);
}

/** In the order in which Teleport prints them. */
export function doorVariables({ accessKeyId, secretAccessKey, caBundle, proxy }: DoorVariables): Readonly<Record<string, string>> {
  return { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_CA_BUNDLE: caBundle, HTTPS_PROXY: proxy };
}

type LineOf = (name: string, value: string) => string;
const lineOf: Readonly<Record<Exclude<VariableFormat, 'json'>, LineOf>> = {
  unix: (name, value) => `export ${name}="${value.replace(/["$`\\]/g, '\\$&')}"`,
  'command-prompt': (name, value) => `set ${name}=${value}`,
  powershell: (name, value) => `$Env:${name}="${value.replace(/["$`]/g, '`$&')}"`,
  text: (name, value) => `${name}=${value}`,
};

/** What is printed when the proxy stands. */
export function startedText(
  door: DoorVariables,
  { format, random }: { readonly format: VariableFormat; readonly random: boolean },
): string {
  const variables = doorVariables(door);
  if (format === 'json') return `${JSON.stringify({ proxy: door.proxy, env: variables }, undefined, 2)}\n`;
  return [
    `Started AWS proxy on ${door.proxy}.`,
    ...(random ? ['To have the same port each time, choose one with --port.'] : []),
    '',
    'Use the following credentials and HTTPS proxy setting to connect to the proxy:',
    ...Object.entries(variables).map(([name, value]) => `  ${lineOf[format](name, value)}`),
    '',
  ].join('\n');
}

/** Instance metadata, containers' credentials and the machine itself are never asked for through a proxy. */
const NEVER_THROUGH_A_PROXY = ['localhost', '127.0.0.1', '::1', '169.254.169.254', '169.254.170.2', 'fd00:ec2::254'];

/**
 * The environment of a program that is started behind the proxy: of what the person set, everything that would lead it to other keys is
 * gone, and what he said should not be proxied stays so, where it is none of AWS's.
 */
export function behindDoor(env: NodeJS.ProcessEnv, door: DoorVariables): NodeJS.ProcessEnv {
  const { AWS_SESSION_TOKEN: _token, AWS_SECURITY_TOKEN: _old, AWS_PROFILE, AWS_DEFAULT_PROFILE, NO_PROXY, no_proxy, ...kept } = env;
  const said = (NO_PROXY ?? no_proxy ?? '').split(',').map((host) => host.trim());
  const noProxy = [...new Set([...said.filter((host) => host !== '' && host !== '*' && !leadsToAws(host)), ...NEVER_THROUGH_A_PROXY])].join(
    ',',
  );
  return {
    ...kept,
    // The AWS CLI and boto3 read the second, everything else the first.
    ...(kept['AWS_DEFAULT_REGION'] === undefined && kept['AWS_REGION'] !== undefined ? { AWS_DEFAULT_REGION: kept['AWS_REGION'] } : {}),
    // A profile gives region and output; keys of the environment stand before its own.
    ...(AWS_PROFILE === undefined ? {} : { AWS_PROFILE }),
    ...(AWS_DEFAULT_PROFILE === undefined ? {} : { AWS_DEFAULT_PROFILE }),
    ...doorVariables(door),
    https_proxy: door.proxy,
    NO_PROXY: noProxy,
    no_proxy: noProxy,
    // A profile of endpoint mode names another key than the one above.
    AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true',
  };
}

function leadsToAws(host: string): boolean {
  return /(?:^|\.)(?:amazonaws\.(?:com|com\.cn|eu)|api\.aws)$/.test(host.toLowerCase());
}
