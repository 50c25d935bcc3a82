import { type ReadServable, resourceMatcher, ServedSet, type ServedSetOptions } from '@postern/agent';
import { accountLabel, appFromResource, parseResource } from '@postern/resources';
import { type Application, readApplication } from '#apps/application.ts';
import type { ResourceMatcher, StaticApp } from '#config.ts';

export interface ServedApplicationsOptions extends Pick<ServedSetOptions<Application>, 'labelsOf' | 'onChange' | 'onProblem'> {
  readonly apps: readonly StaticApp[];
  readonly matchers: readonly ResourceMatcher[];
}

/** The applications of the file and those of the cluster that the matchers choose. Throws where one of the file cannot be served. */
export function servedApplications({ apps, matchers, ...rest }: ServedApplicationsOptions): ServedSet<Application> {
  const matcherOf = resourceMatcher('app', matchers);
  return new ServedSet<Application>({
    ...rest,
    kind: 'app',
    noun: 'application',
    fromFile: apps.map(({ aws, ...app }) => readApplication({ ...app, ...aws }, { origin: 'config' })),
    readDynamic: (json): ReadServable<Application> | undefined => {
      const resource = parseResource(json);
      if (resource.kind !== 'app') return undefined;
      const app = appFromResource(resource);
      const matcher = matcherOf(app);
      if (!matcher) return undefined;
      return readApplication(
        { ...app, ...withExternalId(matcher.aws?.externalId ?? app.externalId) },
        { origin: 'dynamic', assumeRoleArn: matcher.aws?.assumeRoleArn },
      );
    },
    announced: ({ uri, description, labels }) => ({
      protocol: 'aws',
      uri,
      description,
      labels,
      awsRegion: '',
      awsAccountId: labels[accountLabel] ?? '',
    }),
  });
}

function withExternalId(externalId: string | undefined): { readonly externalId?: string } {
  return externalId === undefined ? {} : { externalId };
}
