import { type ReadServable, resourceMatcher, ServedSet, type ServedSetOptions } from '@postern/agent';
import { type Database as DatabaseResource, databaseFromResource, parseResource } from '@postern/resources';
import type { ResourceMatcher, StaticDatabase } from '#config.ts';
import { type Database, readDatabase, type WrittenDatabase } from '#databases/database.ts';

export interface ServedDatabasesOptions extends Pick<ServedSetOptions<Database>, 'labelsOf' | 'onChange' | 'onProblem'> {
  readonly databases: readonly StaticDatabase[];
  readonly matchers: readonly ResourceMatcher[];
}

/** The databases of the file and those of the cluster that the matchers choose. Throws where one of the file cannot be served. */
export function servedDatabases({ databases, matchers, ...rest }: ServedDatabasesOptions): ServedSet<Database> {
  const matcherOf = resourceMatcher('db', matchers);
  return new ServedSet<Database>({
    ...rest,
    kind: 'db',
    noun: 'database',
    fromFile: databases.map(({ staticLabels, ...database }) => readDatabase({ ...database, labels: staticLabels, origin: 'config' })),
    readDynamic: (json): ReadServable<Database> | undefined => {
      const resource = parseResource(json);
      if (resource.kind !== 'db') return undefined;
      const written = databaseFromResource(resource);
      const matcher = matcherOf(written);
      return matcher && readDatabase(toWritten(written, matcher.aws));
    },
    announced: ({ uri, description, labels, region, accountId }) => ({
      protocol: 'dynamodb',
      uri,
      description,
      labels,
      awsRegion: region,
      awsAccountId: accountId,
    }),
  });
}

function toWritten(resource: DatabaseResource, override: ResourceMatcher['aws']): WrittenDatabase {
  const { region, accountId, sessionTags } = resource;
  const assumeRoleArn = override?.assumeRoleArn ?? resource.assumeRoleArn;
  const externalId = override?.externalId ?? resource.externalId;
  const aws = {
    sessionTags,
    ...(region === undefined ? {} : { region }),
    ...(accountId === undefined ? {} : { accountId }),
    ...(assumeRoleArn === undefined ? {} : { assumeRoleArn }),
    ...(externalId === undefined ? {} : { externalId }),
  };
  const { name, protocol, uri, description, labels } = resource;
  return { name, protocol, uri, description, labels, aws, origin: 'dynamic' };
}
