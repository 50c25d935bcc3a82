import type { Admitted, LiveSession, SessionRecordsOptions } from '@postern/agent';
import type { Route } from '@postern/api';
import type { Application } from '#apps/application.ts';

/** The events of application sessions, with Teleport's names for the fields. */
export function sessionEvents(
  admitted: (name: string) => Admitted<Application> | undefined,
): Pick<SessionRecordsOptions, 'start' | 'end' | 'fieldsOf' | 'sessionFieldsOf'> {
  const fieldsOf = ({ resourceName, principal }: Route) => ({ app_name: resourceName, aws_role_arn: principal });
  return {
    start: { kind: 'app.session.start', code: 'T2007I', refusedCode: 'T2007E' },
    end: { kind: 'app.session.end', code: 'T2011I' },
    fieldsOf,
    sessionFieldsOf: ({ facts }: LiveSession) => {
      const served = admitted(facts.route.resourceName);
      return {
        ...fieldsOf(facts.route),
        ...(served
          ? {
              app_uri: served.resource.uri,
              app_public_addr: served.resource.publicAddress,
              app_labels: served.labels,
              app_origin: served.resource.origin,
            }
          : {}),
      };
    },
  };
}
