import type { AssumeRoleCall } from '#credentials/assume-role.ts';
import { CredentialError } from '#credentials/credential-error.ts';
import { partitionOf } from '#endpoints/partitions.ts';

export type AssumeRoleRequest = {
  /** whose credentials they are: never shared with another user, dropped by flush(user) */
  readonly user: string;
  readonly region: string;
  readonly roleArn: string;
  readonly sessionName: string;
  /** the resource's assume_role_arn, assumed first */
  readonly assumeRoleArn?: string;
  /** of the resource: goes with assumeRoleArn where that is set, with roleArn otherwise */
  readonly externalId?: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly sourceIdentity?: string;
  /** clamped to 900…3600; default 3600, which is also the most that STS gives for a chained role */
  readonly durationSeconds?: number;
  /** end of the user's certificate: from then on nothing is handed out */
  readonly useUntilMs?: number;
};

/** How the agent names its own session of an assume_role_arn: it is shared by all users behind it, who are named in the second hop. */
export const agentSessionName = 'postern-agent';

const maxTags = 50;
const shortestSeconds = 900;
const longestSeconds = 3600;

/** The last hop, and the first one where the resource asks for it. Throws CredentialError 'invalid' for what STS would misread or refuse. */
export function hopsOf(request: AssumeRoleRequest): { readonly first: AssumeRoleCall | undefined; readonly last: AssumeRoleCall } {
  requireRole(request.roleArn, request.region);
  require(/^[\w+=,.@-]{2,64}$/.test(request.sessionName), 'the session name is not 2 to 64 characters of [\\w+=,.@-]');
  const { externalId, sourceIdentity } = request;
  require(externalId === undefined ||
    /^[\w+=,.@:/-]{2,1224}$/.test(externalId), 'the external id is not 2 to 1224 characters of [\\w+=,.@:/-]');
  require(sourceIdentity === undefined ||
    /^(?!aws:)[\w+=,.@-]{2,64}$/.test(sourceIdentity), 'the source identity is not 2 to 64 characters of [\\w+=,.@-]');
  const tags = checkedTags(request.tags ?? {});
  const { region, roleArn, sessionName, assumeRoleArn } = request;
  const durationSeconds = clampDuration(request.durationSeconds ?? longestSeconds);
  if (assumeRoleArn === undefined)
    return { first: undefined, last: { region, roleArn, sessionName, externalId, tags, sourceIdentity, durationSeconds } };
  requireRole(assumeRoleArn, region);
  return {
    first: {
      region,
      roleArn: assumeRoleArn,
      sessionName: agentSessionName,
      externalId,
      tags: {},
      sourceIdentity: undefined,
      durationSeconds: longestSeconds,
    },
    last: { region, roleArn, sessionName, externalId: undefined, tags, sourceIdentity, durationSeconds },
  };
}

function clampDuration(seconds: number): number {
  return Number.isFinite(seconds) ? Math.min(Math.max(Math.floor(seconds), shortestSeconds), longestSeconds) : longestSeconds;
}

function requireRole(arn: string, region: string): void {
  const partition = partitionOf(region)?.id;
  require(partition !== undefined, `no AWS partition has a region ${JSON.stringify(region)}`);
  const found = arn.length > 2048 ? undefined : /^arn:([a-z-]+):iam::\d{12}:role\/[\w+=,.@/-]+$/.exec(arn)?.[1];
  require(found !== undefined, `${JSON.stringify(arn.slice(0, 200))} is not the ARN of an IAM role`);
  require(found === partition, `role ${arn} is not in partition ${partition} of region ${region}`);
}

/** Sorted by key, so that equal sets make equal cache keys. Limits: API_Tag of STS. */
function checkedTags(tags: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const entries = Object.entries(tags).sort(([a], [b]) => (a < b ? -1 : 1));
  require(entries.length <= maxTags, `there are more than ${maxTags} session tags`);
  require(new Set(entries.map(([key]) => key.toLowerCase())).size === entries.length, 'two session tags differ only in case');
  for (const [key, value] of entries) {
    require(/^(?!aws:)[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/iu.test(
      key,
    ), `the session tag key ${JSON.stringify(key.slice(0, 130))} is not one AWS allows`);
    require(/^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u.test(value), `the value of session tag ${JSON.stringify(key)} is not one AWS allows`);
  }
  return Object.fromEntries(entries);
}

function require(condition: boolean, message: string): asserts condition {
  if (!condition) throw new CredentialError('invalid', message);
}
