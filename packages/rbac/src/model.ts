/** A role as written in `kind: role`, after strict parsing: what decisions are made of. Plain values, no I/O. */
export interface Role {
  readonly name: string;
  /** "v3" to "v8"; v3 gives `'*': '*'` labels where none are written, later ones none. */
  readonly version: string;
  readonly allow: RoleConditions;
  readonly deny: RoleConditions;
  readonly options: RoleOptions;
}
export interface RoleConditions {
  readonly dbLabels?: LabelSelector;
  readonly appLabels?: LabelSelector;
  readonly dbUsers?: readonly string[];
  readonly awsRoleArns?: readonly string[];
  readonly rules?: readonly AdminRule[];
}
export interface RoleOptions {
  readonly maxSessionTtlMs?: number;
  readonly lock?: 'strict' | 'best_effort';
  readonly awsCredentialOperations?: 'deny' | 'cap';
}
/** Key to the values it may have; keys are ANDed, values ORed; globs, `^…$` regexes, `{{templates}}`. */
export type LabelSelector = Readonly<Record<string, readonly string[]>>;
export interface AdminRule {
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}
export type Labels = Readonly<Record<string, string>>;
export type Traits = Readonly<Record<string, readonly string[]>>;

export interface Subject {
  readonly user: string;
  readonly roles: readonly Role[];
  readonly traits: Traits;
}
/** What is asked: a resource under a principal. */
export interface AccessRequest {
  readonly kind: 'db' | 'app';
  readonly name: string;
  readonly labels: Labels;
  /**
   * The IAM role in every spelling that means the same one in this resource's account (name, role/Path/Name, ARN):
   * an allow entry may match any; a deny entry that matches any, in any case, denies. Absent: may the resource be seen at all.
   */
  readonly principal?: readonly string[];
  /** Further spellings that a deny entry may use where an allow entry may not: the name of a role without its account. */
  readonly deniedAs?: readonly string[];
}
/** A decision is a value: which rule of which role decided, in words that a person can act on. */
export interface Decision {
  readonly allowed: boolean;
  readonly role?: string;
  /** "denied by role contractor: deny.db_labels env=prod", "no role allows principal Admin on db/orders (roles: access, dev)". */
  readonly reason: string;
  /** One line a role, in reading order, for `tctl access explain`. */
  readonly steps: readonly string[];
}
