import type { KnownCredentials } from '#credential-book.ts';
import { AwsError } from '#protocols/aws-error.ts';
import { element } from '#protocols/xml.ts';
import { Constraints } from '#sts/constraints.ts';
import { type StsContext, checkPolicy, credentialsElement, durationOf, nameCharacters } from '#sts/role-session.ts';

const byDefault = 43_200;
const max = 129_600;

/** GetSessionToken: the user's own session, for those with long-term keys. Source: STS API reference. */
export function getSessionToken(parameters: ReadonlyMap<string, string>, caller: KnownCredentials, { book, nowMs }: StsContext): string {
  refuseTemporary(caller, 'GetSessionToken');
  const constraints = new Constraints();
  const seconds = durationOf(parameters, { constraints, byDefault, max });
  constraints.check();
  const issued = book.issue((accessKeyId) => ({ ...caller.identity, accessKeyId, chain: [caller.identity.arn] }), {
    origin: 'GetSessionToken',
    chained: false,
    expiresMs: nowMs + seconds * 1000,
  });
  return credentialsElement(issued);
}

/** GetFederationToken: a session under a name of its own, for those with long-term keys. Source: STS API reference. */
export function getFederationToken(parameters: ReadonlyMap<string, string>, caller: KnownCredentials, context: StsContext): string {
  refuseTemporary(caller, 'GetFederationToken');
  const constraints = new Constraints();
  const name = constraints.required('name', parameters.get('Name'));
  constraints.length('name', name, { min: 2, max: 32 });
  constraints.pattern('name', name, nameCharacters);
  const seconds = durationOf(parameters, { constraints, byDefault, max });
  constraints.check();
  checkPolicy(parameters);
  const { accountId } = context;
  const arn = `arn:aws:sts::${accountId}:federated-user/${name}`;
  const userId = `${accountId}:${name}`;
  const issued = context.book.issue(
    (accessKeyId) => ({ accessKeyId, accountId, arn, userId, tags: {}, transitiveTagKeys: [], chain: [caller.identity.arn] }),
    { origin: 'GetFederationToken', chained: false, expiresMs: context.nowMs + seconds * 1000 },
  );
  return (
    credentialsElement(issued) +
    `<FederatedUser>${element('FederatedUserId', userId)}${element('Arn', arn)}</FederatedUser><PackedPolicySize>0</PackedPolicySize>`
  );
}

function refuseTemporary(caller: KnownCredentials, operation: string): void {
  if (caller.sessionToken !== undefined) throw new AwsError('AccessDenied', `Cannot call ${operation} with session credentials`, 403);
}
