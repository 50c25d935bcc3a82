import type { ServedResource } from '@postern/agent';
import { type CompiledSubject, compileSubject, decide } from '@postern/rbac';
import { type Database as DatabaseResource, databaseFromResource, parseResource } from '@postern/resources';
import type { ResourceMatcher, StaticDatabase } from '#config.ts';
import { type Database, readDatabase, type WrittenDatabase } from '#databases/database.ts';
import type { AdmittedDatabase } from '#requests/session-place.ts';

export interface ServedDatabasesOptions {
  readonly databases: readonly StaticDatabase[];
  readonly matchers: readonly ResourceMatcher[];
  /** The labels that auth answered for a name; undefined where it has not admitted it. */
  readonly labelsOf: (name: string) => Readonly<Record<string, string>> | undefined;
  readonly onChange: () => void;
  readonly onProblem: (problem: string) => void;
}

interface CompiledMatcher {
  readonly subject: CompiledSubject;
  readonly aws: ResourceMatcher['aws'];
}

/** The databases of the file and those of the cluster that the matchers choose. Only what auth has admitted is served. */
export class ServedDatabases {
  readonly #options: ServedDatabasesOptions;
  readonly #matchers: readonly CompiledMatcher[];
  readonly #static = new Map<string, Database>();
  readonly #dynamic = new Map<string, Database>();
  readonly #problems = new Map<string, string>();
  /** The same object for as long as nothing about it changes: decisions hang on it. */
  readonly #admitted = new Map<string, AdmittedDatabase>();

  /** Throws where the file names a database that cannot be served: starting without it would hide the mistake. */
  constructor(options: ServedDatabasesOptions) {
    this.#options = options;
    this.#matchers = options.matchers.map(compileMatcher);
    for (const { staticLabels, ...database } of options.databases) {
      const read = readDatabase({ ...database, labels: staticLabels, origin: 'config' });
      if ('problem' in read) throw new RangeError(read.problem);
      if (this.#static.has(read.name)) throw new RangeError(`database ${read.name}: the name stands twice`);
      this.#static.set(read.name, read);
    }
  }

  get problems(): readonly string[] {
    return [...this.#problems.values()];
  }

  /** A `db` resource of the cluster as the watch delivered it. */
  putDynamic(name: string, json: unknown): void {
    const read = this.#readDynamic(name, json);
    if (read === undefined) return this.removeDynamic(name);
    if ('problem' in read) {
      if (this.#problems.get(name) !== read.problem) this.#options.onProblem(read.problem);
      this.#dynamic.delete(name);
      this.#problems.set(name, read.problem);
    } else {
      this.#problems.delete(name);
      this.#dynamic.set(name, read);
    }
    this.#options.onChange();
  }

  removeDynamic(name: string): void {
    const was = this.#dynamic.delete(name);
    const had = this.#problems.delete(name);
    if (was || had) this.#options.onChange();
  }

  /** What is announced to auth. */
  wanted(): ServedResource[] {
    return [...this.#all().values()].map((database) => ({
      kind: 'db',
      name: database.name,
      protocol: 'dynamodb',
      uri: database.uri,
      description: database.description,
      labels: database.labels,
      awsRegion: database.region,
      awsAccountId: database.accountId,
      dynamic: database.origin === 'dynamic',
    }));
  }

  admitted(name: string): AdmittedDatabase | undefined {
    const database = this.#static.get(name) ?? this.#dynamic.get(name);
    const labels = database && this.#options.labelsOf(name);
    if (!database || !labels) {
      this.#admitted.delete(name);
      return undefined;
    }
    const kept = this.#admitted.get(name);
    if (kept?.database === database && kept.labels === labels) return kept;
    const admitted = { database, labels };
    this.#admitted.set(name, admitted);
    return admitted;
  }

  #all(): Map<string, Database> {
    return new Map([...this.#dynamic, ...this.#static]);
  }

  /** Undefined where no matcher chooses it. */
  #readDynamic(name: string, json: unknown): Database | { readonly problem: string } | undefined {
    let written: DatabaseResource;
    try {
      const resource = parseResource(json);
      if (resource.kind !== 'db') return undefined;
      written = databaseFromResource(resource);
    } catch (error) {
      return { problem: `database ${name}: ${error instanceof Error ? error.message : String(error)}` };
    }
    const matcher = this.#matchers.find(({ subject }) => decide(subject, { kind: 'db', name, labels: written.labels }).allowed);
    if (!matcher) return undefined;
    if (this.#static.has(name)) return { problem: `database ${name}: the agent's own file has one of this name, and that one is served` };
    return readDatabase(toWritten(written, matcher.aws));
  }
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

/** Matchers choose by the same rules as the labels of a role, so they are compiled as one. */
function compileMatcher({ labels, aws }: ResourceMatcher): CompiledMatcher {
  const role = { name: 'db_service.resources', version: 'v7', allow: { dbLabels: labels, dbUsers: ['*'] }, deny: {}, options: {} };
  return { subject: compileSubject({ user: 'this agent', roles: [role], traits: {} }), aws };
}
