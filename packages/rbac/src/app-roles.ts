import { allowedPrincipals } from '#allowed-principals.ts';
import type { CompiledSubject } from '#compile-subject.ts';
import { decide } from '#decide.ts';
import type { AccessRequest, Decision, Labels } from '#model.ts';

/** An application of kind AWS as decisions see it. */
export interface AwsApp {
  readonly name: string;
  readonly labels: Labels;
  /** Of its console: `aws`, `aws-us-gov`, `aws-cn`, `aws-eusc`. */
  readonly partition: string;
}

interface RoleArnParts {
  readonly partition: string;
  readonly accountId: string;
  /** `team/Admin` of `role/team/Admin`. */
  readonly path: string;
  readonly name: string;
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html: a path is printable ASCII, a name 64 of these characters. */
const roleArn =
  /^arn:(?<partition>aws[a-z-]{0,29}):iam::(?<accountId>\d{12}):role\/(?<path>(?:[\u0021-\u007e]{1,510}\/)?(?<name>[\w+=,.@-]{1,64}))$/u;

/**
 * The question whether a user may use an application under a role. An allow entry is the ARN itself; a deny entry may leave out account,
 * path or both, since a name that was meant to shut something must not open it by being short.
 */
export function appRequest(app: AwsApp, arn: string): AccessRequest {
  const parts = partsOf(arn);
  const { path, name } = parts ?? { path: arn, name: arn };
  const withoutPath = parts === undefined ? [] : [`arn:${parts.partition}:iam::${parts.accountId}:role/${name}`];
  return {
    kind: 'app',
    name: app.name,
    labels: app.labels,
    principal: [arn],
    deniedAs: [...new Set([...withoutPath, `role/${path}`, path, `role/${name}`, name])],
  };
}

/** Decides for a full ARN: it must be of the application's partition, of its account where it is bound to one, and granted. */
export function decideApp(subject: CompiledSubject, app: AwsApp, arn: string): Decision {
  const problem = appRoleProblem(app, arn);
  if (problem !== undefined) return { allowed: false, reason: problem, steps: [] };
  return decide(subject, appRequest(app, arn));
}

/** Why a role cannot be one of this application's, whatever roles grant; undefined where it can. */
export function appRoleProblem(app: AwsApp, arn: string): string | undefined {
  const parts = partsOf(arn);
  if (parts === undefined) return `${JSON.stringify(arn.slice(0, 200))} is not the ARN of an IAM role`;
  if (parts.partition !== app.partition)
    return `the role ${arn} is in partition ${parts.partition}, and app/${app.name} is in ${app.partition}`;
  const account = app.labels['aws_account_id'];
  if (account !== undefined && parts.accountId !== account)
    return `the role ${arn} is in account ${parts.accountId}, and app/${app.name} is for account ${account}`;
  return undefined;
}

/** The ARNs that a user may ask for on this application, sorted: what is listed is what would be allowed. */
export function appRoles(subject: CompiledSubject, app: AwsApp): readonly string[] {
  const { allowed } = allowedPrincipals(subject, { kind: 'app', name: app.name, labels: app.labels });
  return allowed.filter((arn) => decideApp(subject, app, arn).allowed);
}

export type ChosenRole =
  | { readonly arn: string }
  | { readonly problem: 'none given' | 'ambiguous' | 'none allowed'; readonly choice: readonly string[] };

/**
 * The role that is meant: an ARN as it stands, a name or `role/PATH/NAME` where those that are allowed leave one, and nothing at all
 * where exactly one is allowed. A name that several accounts have is nobody's guess to make.
 */
export function chooseAppRole(subject: CompiledSubject, app: AwsApp, asked: string): ChosenRole {
  if (asked.startsWith('arn:')) return { arn: asked };
  const choice = appRoles(subject, app);
  const path = asked.replace(/^role\//u, '');
  const meant = asked === '' ? choice : choice.filter((arn) => isNamed(arn, path));
  const [only] = meant;
  if (only !== undefined && meant.length === 1) return { arn: only };
  if (meant.length > 1) return { problem: asked === '' ? 'none given' : 'ambiguous', choice: meant };
  return { problem: 'none allowed', choice };
}

function isNamed(arn: string, path: string): boolean {
  const parts = partsOf(arn);
  return parts !== undefined && (parts.path === path || parts.name === path);
}

function partsOf(arn: string): RoleArnParts | undefined {
  const groups = arn.length > 700 ? undefined : roleArn.exec(arn)?.groups;
  if (groups === undefined) return undefined;
  const { partition = '', accountId = '', path = '', name = '' } = groups;
  return { partition, accountId, path, name };
}
