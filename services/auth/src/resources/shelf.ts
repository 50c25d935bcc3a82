import type { Entry, Operation } from '@postern/store';
import type { Person } from '#administration/person.ts';
import type { ResourceJson } from '#resources/stored-resource.ts';

/** A resource as it is shown: `name` is unique within its kind, also where two hosts serve one database. */
export interface ShownResource {
  readonly name: string;
  readonly revision: string;
  readonly resource: ResourceJson;
}

export interface ActCodes {
  readonly create: readonly [kind: string, code: string];
  readonly update: readonly [kind: string, code: string];
  readonly delete: readonly [kind: string, code: string];
}

/** What a write comes down to, once it is known to be allowed. */
export interface PlannedWrite {
  readonly value: string;
  readonly expiresMs?: number;
  /** In the same batch: checks, and what belongs to the resource elsewhere. */
  readonly with: readonly Operation[];
  /** How the act is named in the audit log; a token is named by its id. */
  readonly recordedAs: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** One kind of resource: where it lies, how it is shown, and what has to be true of it before it is written or removed. */
export interface Shelf {
  readonly kind: string;
  readonly prefix: string;
  readonly acts: ActCodes;
  /** undefined where the entry is not shown, such as a token that has expired. */
  show(entry: Entry): ShownResource | undefined;
  /** Absent where nobody writes this kind. */
  readonly writing?: {
    keyOf(name: string): string;
    /** Throws what a person can act on. */
    plan(write: { readonly resource: ResourceJson; readonly current: Entry | undefined; readonly person: Person }): Promise<PlannedWrite>;
  };
  /** Absent where nobody removes this kind. Answers what goes with it. */
  planDelete?(removal: { readonly entry: Entry; readonly person: Person }): Promise<readonly Operation[]>;
  /** Where a name on the command line is not the end of the key. */
  find?(name: string): Promise<readonly Entry[]>;
}
