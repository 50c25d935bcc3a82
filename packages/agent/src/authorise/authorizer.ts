import type { Identity } from '@postern/api';
import type { AccessRequest, CompiledSubject, Decision, Role, Subject } from '@postern/rbac';
import { LRUCache } from 'lru-cache';
import { type Lock, lockApplies, lockInForce, lockReason } from '#authorise/lock.ts';
import type { PolicyView } from '#authorise/policy-view.ts';

/** Why a request may not go on; `reason` is shown to the person, `role` names the rule for the audit log. */
export interface Refused {
  readonly allowed: false;
  readonly cause: 'expired' | 'locked' | 'stale' | 'identity' | 'rule';
  readonly reason: string;
  readonly role?: string;
}
export type Verdict = { readonly allowed: true; readonly decision: Decision } | Refused;

/** Whom the certificate names. */
export interface Certified {
  readonly identity: Identity;
  readonly serial: string;
  readonly notAfterMs: number;
}

/** What one certificate may do, asked again for each request; keeps what it computed until the view changes. */
export interface Standing {
  /** Expiry, locks, staleness, the user himself: what ends even a stream that asks for nothing. */
  check(): Refused | undefined;
  /** `check`, then the rules. The same `asked` object must mean the same question. */
  authorize(asked: AccessRequest): Verdict;
  /** What becomes of AWS operations that hand out keys of their own; `deny` where the roles cannot be had. */
  awsCredentialOperations(): 'deny' | 'cap';
}

export interface AuthorizerOptions {
  readonly policy: PolicyView;
  readonly serverId: string;
  readonly nowMs: () => number;
  /** A clock that nobody sets. */
  readonly monotonicMs: () => number;
  /** How long ago auth was last heard, by a clock that nobody sets. */
  readonly viewAgeMs: () => number;
  readonly compileSubject: (subject: Subject) => CompiledSubject;
  readonly decide: (compiled: CompiledSubject, request: AccessRequest) => Decision;
  readonly lockMode: (roles: readonly Role[]) => 'strict' | 'best_effort';
  readonly awsCredentialOperations: (roles: readonly Role[]) => 'deny' | 'cap';
}

/** With a role of `lock: strict` a view of the locks older than this is not believed. */
export const STRICT_STALE_MS = 5 * 60_000;
/** Nobody is let through on a view older than this, so that an agent cut off from auth is not an agent without locks. */
export const STALE_CEILING_MS = 30 * 60_000;
const MAX_COMPILED = 4096;
const MAX_ENDS = 16_384;

interface Effective {
  readonly revisions: string;
  readonly compiled: CompiledSubject;
  readonly strict: boolean;
  readonly awsCredentialOperations: 'deny' | 'cap';
}
type Rules = Effective | { readonly refused: Refused };

/** Decides each request from the certificate and the agent's own view of the cluster; nothing is asked over the network. */
export class Authorizer {
  readonly #options: AuthorizerOptions;
  /** By certificate: templates expanded and matchers compiled once for the roles as they are now. */
  readonly #compiled = new LRUCache<string, Effective>({ max: MAX_COMPILED });

  /** By certificate: when it ends on the monotonic clock. */
  readonly #ends = new LRUCache<string, number>({ max: MAX_ENDS });

  constructor(options: AuthorizerOptions) {
    this.#options = options;
  }

  standingOf(who: Certified): Standing {
    const { policy, nowMs, monotonicMs } = this.#options;
    const endsAtMs = this.#endOf(who);
    let rules: { readonly version: number; readonly value: Rules } | undefined;
    let locks: { readonly version: number; readonly value: readonly Lock[] } | undefined;
    let last: { readonly rules: Rules; readonly asked: AccessRequest; readonly verdict: Verdict } | undefined;

    const rulesNow = (): Rules => {
      if (rules?.version !== policy.rulesVersion) rules = { version: policy.rulesVersion, value: this.#rulesOf(who) };
      return rules.value;
    };
    const check = (): Refused | undefined => {
      if (who.notAfterMs <= nowMs() || endsAtMs <= monotonicMs())
        return refused('expired', 'the certificate has expired: sign in again with tsh login');
      if (policy.hasEnded(who.identity.sessionId))
        return refused('expired', 'this session was logged out of: log in to the resource again');
      if (locks?.version !== policy.locksVersion) locks = { version: policy.locksVersion, value: this.#locksOn(who.identity) };
      for (const lock of locks.value) if (lockInForce(lock, nowMs())) return refused('locked', lockReason(lock));
      const current = rulesNow();
      if ('refused' in current) return current.refused;
      return this.#staleness(current.strict);
    };
    const authorize = (asked: AccessRequest): Verdict => {
      const stopped = check();
      if (stopped) return stopped;
      // The same object for as long as nothing about this user's roles changes, whatever changes for others.
      const current = rulesNow();
      if (last?.rules === current && last.asked === asked) return last.verdict;
      const verdict = 'refused' in current ? current.refused : toVerdict(this.#options.decide(current.compiled, asked));
      last = { rules: current, asked, verdict };
      return verdict;
    };
    const awsCredentialOperations = (): 'deny' | 'cap' => {
      const current = rulesNow();
      return 'refused' in current ? 'deny' : current.awsCredentialOperations;
    };
    return { check, authorize, awsCredentialOperations };
  }

  /** By the monotonic clock, kept for when the same certificate comes back: turning the wall clock back lengthens nothing. */
  #endOf({ serial, notAfterMs }: Certified): number {
    const { nowMs, monotonicMs } = this.#options;
    const endsAtMs = Math.min(this.#ends.get(serial) ?? Number.POSITIVE_INFINITY, monotonicMs() + notAfterMs - nowMs());
    this.#ends.set(serial, endsAtMs);
    return endsAtMs;
  }

  #locksOn(identity: Identity): readonly Lock[] {
    const subject = { user: identity.name, roles: identity.roles, serverId: this.#options.serverId };
    return [...this.#options.policy.locks()].filter((lock) => lockApplies(lock, subject));
  }

  #staleness(strict: boolean): Refused | undefined {
    const ageMs = this.#options.viewAgeMs();
    if (ageMs === Number.POSITIVE_INFINITY)
      return refused('stale', 'this agent has not heard from auth yet, so it cannot know of locks: try again');
    if (ageMs > STALE_CEILING_MS)
      return refused(
        'stale',
        `this agent has not heard from auth for ${minutes(ageMs)} minutes, so it cannot know of locks: try another agent or later`,
      );
    if (strict && ageMs > STRICT_STALE_MS)
      return refused('stale', `this agent has not heard from auth for ${minutes(ageMs)} minutes, and a role of yours has lock: strict`);
    return undefined;
  }

  /** Effective roles: those of the certificate that the user still has. */
  #rulesOf(who: Certified): Rules {
    const { identity } = who;
    const user = this.#options.policy.user(identity.name);
    if (!user) return { refused: refused('identity', `user ${identity.name} does not exist`) };
    if (user.generation !== identity.generation)
      return {
        refused: refused('identity', `user ${identity.name} was changed since the certificate was issued: sign in again with tsh login`),
      };
    const names = identity.roles.filter((name) => user.roles.includes(name));
    const roles: Role[] = [];
    const revisions: string[] = [];
    for (const name of names) {
      const known = this.#options.policy.role(name);
      if (!known) return { refused: { ...refused('identity', `role ${name} does not exist`), role: name } };
      if (!known.role)
        return {
          refused: {
            ...refused('identity', `role ${name} cannot be read by this agent: ${known.problem ?? 'unknown reason'}`),
            role: name,
          },
        };
      roles.push(known.role);
      revisions.push(`${name}@${known.revision}`);
    }
    return this.#compile(who, roles, revisions.join(' '));
  }

  #compile(who: Certified, roles: readonly Role[], revisions: string): Rules {
    const kept = this.#compiled.get(who.serial);
    if (kept?.revisions === revisions) return kept;
    const traits: Record<string, readonly string[]> = {};
    for (const [name, value] of Object.entries(who.identity.traits)) traits[name] = value.values;
    try {
      const compiled = this.#options.compileSubject({ user: who.identity.name, roles, traits });
      const effective = {
        revisions,
        compiled,
        strict: this.#options.lockMode(roles) === 'strict',
        awsCredentialOperations: this.#options.awsCredentialOperations(roles),
      };
      this.#compiled.set(who.serial, effective);
      return effective;
    } catch (error) {
      return {
        refused: refused(
          'identity',
          `the roles of ${who.identity.name} cannot be applied: ${error instanceof Error ? error.message : String(error)}`,
        ),
      };
    }
  }
}

function toVerdict(decision: Decision): Verdict {
  if (decision.allowed) return { allowed: true, decision };
  return { ...refused('rule', decision.reason), ...(decision.role === undefined ? {} : { role: decision.role }) };
}

function refused(cause: Refused['cause'], reason: string): Refused {
  return { allowed: false, cause, reason };
}

function minutes(ms: number): number {
  return Math.floor(ms / 60_000);
}
