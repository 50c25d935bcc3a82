import { isIP } from 'node:net';

import { partitionOf } from '#aws-partitions.ts';
import type { App, OwnHost } from '#app-from-resource.ts';
import type { MeaningProblem } from '#check-meaning.ts';
import { consoleAddress } from '#console-address.ts';

/** The label that binds an application to one AWS account: only roles of this account are shown and taken. */
export const accountLabel = 'aws_account_id';

/**
 * Everything that must hold before an application is served, whether a resource or an agent's own file describes it. Paths are
 * those of the resource.
 */
export function validateApp(app: App): readonly MeaningProblem[] {
  const problems: MeaningProblem[] = [];
  const add = (path: readonly string[], message: string): void => void problems.push({ path, message });
  if (!isAppName(app.name))
    add(['metadata', 'name'], 'the name of an app is part of a host name: lower-case letters, digits and hyphens, at most 63');
  if (app.uri === undefined && app.cloud === undefined)
    add(['spec', 'uri'], 'is missing; it is an address of the AWS console, such as https://console.aws.amazon.com/console/home');
  const address = app.uri === undefined ? undefined : consoleAddress(app.uri);
  if (address !== undefined && 'refusal' in address) add(['spec', 'uri'], address.refusal);
  const publicAddress = app.publicAddress === undefined ? undefined : publicAddressProblem(app.publicAddress);
  if (publicAddress !== undefined) add(['spec', 'public_addr'], publicAddress);
  const account = app.labels[accountLabel];
  if (account !== undefined && !/^\d{12}$/u.test(account))
    add(['metadata', 'labels', accountLabel], 'is the AWS account of the application: twelve digits in quotes, such as "123456789012"');
  // Limits of STS AssumeRole.
  if (app.externalId !== undefined && !/^[\w+=,.@:/-]{2,1224}$/u.test(app.externalId))
    add(['spec', 'aws', 'external_id'], 'has 2 to 1224 letters, digits and _ + = , . @ : / -');
  const named = new Set<string>();
  for (const own of app.ownHosts ?? []) {
    if (named.has(own.host)) add(['spec', 'aws', 'own_hosts'], `${own.host} is named twice`);
    named.add(own.host);
    const problem = ownHostProblem(own);
    if (problem !== undefined) add(['spec', 'aws', 'own_hosts'], problem);
  }
  return problems;
}

/** One DNS label: `<name>.<address of the proxy>` is where browsers go. */
export function isAppName(name: string): boolean {
  return /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/u.test(name);
}

/** Below the domains that the authority of `tsh proxy aws` may sign for, and named in full: what a pattern would let in is anybody's. */
function ownHostProblem({ host, service, region }: OwnHost): string | undefined {
  const partition = partitionOf(region);
  if (partition === undefined) return `${host}: the region ${region} is none of AWS; write one such as us-east-1`;
  if (!/^[a-z0-9][a-z0-9-]*$/u.test(service))
    return `${host}: the service is the name that its requests are signed for, such as execute-api`;
  const { suffix, dualStackSuffix } = partition;
  if (isHostName(host) && [suffix, dualStackSuffix].some((domain) => host.endsWith(`.${domain}`))) return undefined;
  return `${host} must be one host below ${suffix} or ${dualStackSuffix}, in lower case, without scheme, port or path, such as a1b2c3d4e5.execute-api.${region}.${suffix}`;
}

function publicAddressProblem(address: string): string | undefined {
  const isNumber = isIP(address.replace(/^\[|\]$/gu, '')) !== 0 || /(?:^|\.)(?:0x[0-9a-f]*|\d+)\.?$/iu.test(address);
  if (isNumber) return 'is an address in numbers; write a host name, such as aws.example.com';
  return isHostName(address) ? undefined : 'must be a host name in lower case, without scheme, port or path, such as aws.example.com';
}

function isHostName(text: string): boolean {
  return text.length <= 253 && /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+$/u.test(text);
}
