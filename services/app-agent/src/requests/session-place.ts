import type { Admitted, AssumedRole, LiveSession, NoPlace } from '@postern/agent';
import { type PartitionId, partitionOf, sessionName } from '@postern/aws';
import { type AccessRequest, appRequest, appRoleProblem } from '@postern/rbac';
import type { Application } from '#apps/application.ts';

/** Whose role a session's requests are made with; see SessionPlaces. */
export interface SessionPlace extends AssumedRole {
  readonly application: Application;
  readonly labels: Readonly<Record<string, string>>;
  readonly accountId: string;
  /** One object for the life of the place, so that the decision about it can be kept. */
  readonly asked: AccessRequest;
}

/** Where STS is asked: in the agent's own region where the role's partition has it, and else in the partition's first. */
const STS_REGION: Partial<Record<PartitionId, string>> = {
  aws: 'us-east-1',
  'aws-us-gov': 'us-gov-west-1',
  'aws-cn': 'cn-northwest-1',
  'aws-eusc': 'eusc-de-east-1',
};

/** `agentRegion`: where the agent itself is; undefined where nothing says so. */
export function sessionPlaceMaker(agentRegion: string | undefined) {
  const home = agentRegion === undefined ? undefined : partitionOf(agentRegion)?.id;
  return (session: LiveSession, { resource: application, labels }: Admitted<Application>): SessionPlace | NoPlace => {
    const { principal } = session.facts.route;
    const { name, partition, assumeRoleArn, externalId } = application;
    const app = { name, labels, partition };
    // A name alone could be a role of any account: whoever asked for the certificate has to have settled which.
    const problem = appRoleProblem(app, principal);
    if (problem !== undefined) return { reason: problem };
    const region = home === partition ? agentRegion : STS_REGION[partition];
    if (region === undefined) return { reason: `partition ${partition} has no STS that is known here` };
    return {
      application,
      labels,
      accountId: principal.split(':')[4] ?? '',
      roleArn: principal,
      roleSessionName: sessionName(session.user),
      assume: { region, assumeRoleArn, externalId, sessionTags: {} },
      asked: appRequest(app, principal),
    };
  };
}
