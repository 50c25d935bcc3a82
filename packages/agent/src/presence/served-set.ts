import { type CompiledSubject, compileSubject, decide } from '@postern/rbac';
import type { ServedResource } from '#presence/served-resource.ts';

/** Something an agent can serve: checked, immutable. */
export interface Servable {
  readonly name: string;
  readonly origin: 'config' | 'dynamic';
}
/** A problem is a sentence that names the resource and the field. */
export type ReadServable<R> = R | { readonly problem: string };

/** A resource that is served now, with the labels that auth gave it. */
export interface Admitted<R> {
  readonly resource: R;
  readonly labels: Readonly<Record<string, string>>;
}

export interface ServedSetOptions<R extends Servable> {
  readonly kind: 'db' | 'app';
  /** What people call it: `database`. */
  readonly noun: string;
  readonly fromFile: readonly ReadServable<R>[];
  /** A resource of the cluster as the watch delivered it; undefined where this agent is not to serve it. */
  readonly readDynamic: (json: unknown) => ReadServable<R> | undefined;
  readonly announced: (resource: R) => Omit<ServedResource, 'kind' | 'name' | 'dynamic'>;
  /** The labels that auth answered for a name; undefined where it has not admitted it. */
  readonly labelsOf: (name: string) => Readonly<Record<string, string>> | undefined;
  readonly onChange: () => void;
  readonly onProblem: (problem: string) => void;
}

/** The resources of the file and those of the cluster that the agent chooses. Only what auth has admitted is served. */
export class ServedSet<R extends Servable> {
  readonly #options: ServedSetOptions<R>;
  readonly #static = new Map<string, R>();
  readonly #dynamic = new Map<string, R>();
  readonly #problems = new Map<string, string>();
  /** The same object for as long as nothing about it changes: decisions hang on it. */
  readonly #admitted = new Map<string, Admitted<R>>();

  /** Throws where the file names a resource that cannot be served: starting without it would hide the mistake. */
  constructor(options: ServedSetOptions<R>) {
    this.#options = options;
    for (const read of options.fromFile) {
      if ('problem' in read) throw new RangeError(read.problem);
      if (this.#static.has(read.name)) throw new RangeError(`${options.noun} ${read.name}: the name stands twice`);
      this.#static.set(read.name, read);
    }
  }

  get problems(): readonly string[] {
    return [...this.#problems.values()];
  }

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
    const { kind, announced } = this.#options;
    const all = new Map([...this.#dynamic, ...this.#static]);
    return [...all.values()].map((resource) => ({
      kind,
      name: resource.name,
      ...announced(resource),
      dynamic: resource.origin === 'dynamic',
    }));
  }

  admitted(name: string): Admitted<R> | undefined {
    const resource = this.#static.get(name) ?? this.#dynamic.get(name);
    const labels = resource && this.#options.labelsOf(name);
    if (!resource || !labels) {
      this.#admitted.delete(name);
      return undefined;
    }
    const kept = this.#admitted.get(name);
    if (kept?.resource === resource && kept.labels === labels) return kept;
    const admitted = { resource, labels };
    this.#admitted.set(name, admitted);
    return admitted;
  }

  #readDynamic(name: string, json: unknown): ReadServable<R> | undefined {
    const { noun, readDynamic } = this.#options;
    let read: ReadServable<R> | undefined;
    try {
      read = readDynamic(json);
    } catch (error) {
      return { problem: `${noun} ${name}: ${error instanceof Error ? error.message : String(error)}` };
    }
    if (read !== undefined && !('problem' in read) && this.#static.has(name))
      return { problem: `${noun} ${name}: the agent's own file has one of this name, and that one is served` };
    return read;
  }
}

/** Key to the values it may have; `*` to `*` matches every resource. */
export type MatcherLabels = Readonly<Record<string, readonly string[]>>;

/**
 * Finds which of the file's matchers chooses a resource of the cluster. They choose by the same rules as the labels of a role, so they
 * are compiled as one.
 */
export function resourceMatcher<M extends { readonly labels: MatcherLabels }>(
  kind: 'db' | 'app',
  matchers: readonly M[],
): (resource: { readonly name: string; readonly labels: Readonly<Record<string, string>> }) => M | undefined {
  const compiled: { readonly subject: CompiledSubject; readonly matcher: M }[] = matchers.map((matcher) => {
    const { labels } = matcher;
    const allow = kind === 'db' ? { dbLabels: labels } : { appLabels: labels };
    const role = { name: `${kind}_service.resources`, version: 'v7', allow, deny: {}, options: {} };
    return { subject: compileSubject({ user: 'this agent', roles: [role], traits: {} }), matcher };
  });
  return ({ name, labels }) => compiled.find(({ subject }) => decide(subject, { kind, name, labels }).allowed)?.matcher;
}
