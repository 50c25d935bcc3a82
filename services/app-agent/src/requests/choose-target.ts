import { type AwsScope, type AwsTarget, awsTarget, endpointHost, type OwnHost } from '@postern/aws';
import type { SignedHead } from '#requests/read-seed.ts';
import { type Refusal, wrongTarget } from '#requests/refusals.ts';
import type { SessionPlace } from '#requests/session-place.ts';

export interface TargetInput {
  readonly signed: SignedHead;
  readonly scope: AwsScope;
  /** Forward-proxy mode: the host that the connection was opened to, which Host repeats. */
  readonly connectHost: string | undefined;
  /** Of the session's application, beside AWS's own. */
  readonly ownHosts: readonly OwnHost[];
}

/** Step 4: the host, service and region, by table; never what the client wrote. */
export function chooseTarget({ signed, scope, connectHost, ownHosts }: TargetInput): AwsTarget | Refusal {
  const { method, path, query, headers } = signed;
  const target =
    connectHost === undefined
      ? endpointHost({ method, path, query, headers, service: scope.service, region: scope.region })
      : awsTarget({ host: connectHost.toLowerCase(), scope, ownHosts });
  return 'refusal' in target ? wrongTarget(target.refusal) : target;
}

/** Whether the target may be reached with the session's role: its partition, and the account where the host names one. */
export function misplaced(target: AwsTarget, place: SessionPlace): string | undefined {
  if (target.partition !== place.application.partition)
    return `${target.host} is in partition ${target.partition}, the application in ${place.application.partition}`;
  if (target.accountId !== undefined && target.accountId !== place.accountId)
    return `${target.host} is of account ${target.accountId}, the role of ${place.accountId}`;
  return undefined;
}
