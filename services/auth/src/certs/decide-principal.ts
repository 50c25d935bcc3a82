import { type AwsApp, appRoles, type CompiledSubject, type Decision, allowedPrincipals, decide, decideApp } from '@postern/rbac';
import { consoleAddress } from '@postern/resources';
import { partitionOfRegion, principalSpellings } from '#certs/principal-spellings.ts';
import type { ServedResource } from '#presence/served-resource.ts';

/** What the roles say of one resource under one principal: of a database in any spelling of the role, of an application by its ARN. */
export function decidePrincipal(subject: CompiledSubject, server: ServedResource, principal: string): Decision {
  if (server.kind === 'app') return decideApp(subject, awsApp(server), principal);
  const account = { id: server.awsAccountId, partition: partitionOfRegion(server.awsRegion) };
  return decide(subject, { kind: 'db', name: server.name, labels: server.labels, principal: principalSpellings(principal, account) });
}

/** Whether a user may see that a resource is there. */
export function decideSight(subject: CompiledSubject, { kind, name, labels }: ServedResource): Decision {
  return decide(subject, { kind, name, labels });
}

/** The principals that a user may ask for, as his roles write them. */
export function principalsAllowed(
  subject: CompiledSubject,
  server: Pick<ServedResource, 'kind' | 'name' | 'labels' | 'uri'>,
): readonly string[] {
  if (server.kind === 'app') return appRoles(subject, awsApp(server));
  return allowedPrincipals(subject, { kind: server.kind, name: server.name, labels: server.labels }).allowed;
}

/** An address that is no console belongs to no partition, and no role is of it. */
export function awsApp({ name, labels, uri }: Pick<ServedResource, 'name' | 'labels' | 'uri'>): AwsApp {
  const address = consoleAddress(uri);
  return { name, labels, partition: 'refusal' in address ? '' : address.partition };
}
