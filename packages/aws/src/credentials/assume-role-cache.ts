import { setTimeout as delay } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import type { CredentialSource } from '#credentials/agent-credentials.ts';
import { type AssumeRoleCall, assumeRole, type StsClient } from '#credentials/assume-role.ts';
import { type AssumeRoleRequest, hopsOf } from '#credentials/assume-role-request.ts';
import type { AwsEnv, AwsLog } from '#credentials/aws-env.ts';
import { CredentialError, isOwnLack } from '#credentials/credential-error.ts';
import type { Credentials } from '#credentials/credentials.ts';
import { type HttpSend, nodeHttpSend } from '#credentials/http-send.ts';
import { extrasNamedIn, extrasOf, RefusedExtras, withoutExtras } from '#credentials/refused-extras.ts';
import type { SigningKeys } from '#sigv4/signing-keys.ts';

export type AssumeRoleCacheOptions = {
  readonly source: CredentialSource;
  readonly env: AwsEnv;
  readonly keys: SigningKeys;
  readonly send?: HttpSend;
  readonly log?: AwsLog;
  readonly now?: () => number;
  readonly random?: () => number;
  readonly sleep?: (ms: number) => Promise<void>;
  /** default 1000 */
  readonly maxEntries?: number;
  /** calls of STS at the same time; default 128 */
  readonly maxFlights?: number;
};

type Entry = {
  readonly user: string | undefined;
  credentials?: Credentials;
  refreshAtMs: number;
  flight?: Promise<Credentials>;
  failure?: { readonly error: CredentialError; readonly untilMs: number };
};

/** The least that must be left of credentials for a request to be signed with them. */
const minUseMs = 5000;
const minute = 60_000;
const retryRefreshMs = 30_000;

/**
 * The credentials of users' roles. One call of STS for a key, however many requests wait for it; renewed while the old ones still serve.
 * Renewal starts with a quarter of the life left (5 to 15 minutes): an hour's credentials then outlast an STS outage of ten minutes.
 */
export class AssumeRoleCache {
  readonly #source: CredentialSource;
  readonly #client: StsClient;
  readonly #log: AwsLog;
  readonly #entries: LRUCache<string, Entry>;
  readonly #refused: RefusedExtras;
  readonly #maxFlights: number;
  /** Checking a request and writing its key costs more than signing: a caller that keeps its request object pays once. */
  readonly #prepared = new WeakMap<AssumeRoleRequest, { readonly generation: number; readonly wanted: Wanted }>();
  #flights = 0;

  constructor(options: AssumeRoleCacheOptions) {
    const { env, keys, now = Date.now, random = Math.random, sleep = (ms) => delay(ms), send = nodeHttpSend() } = options;
    this.#source = options.source;
    this.#client = { env, keys, send, now, random, sleep };
    this.#log = options.log ?? (() => {});
    this.#entries = new LRUCache({ max: options.maxEntries ?? 1000 });
    this.#refused = new RefusedExtras(now);
    this.#maxFlights = options.maxFlights ?? 128;
  }

  /** Ask for each request: that is what keeps the promise of useUntilMs. Rejects with CredentialError, whose message may be shown. */
  async credentialsFor(request: AssumeRoleRequest): Promise<Credentials> {
    this.#checkUse(request);
    // the generation is part of the key and is only known after the first look
    if (this.#source.generation === 0) await this.#source.current();
    let prepared = this.#prepared.get(request);
    if (prepared === undefined || prepared.generation !== this.#source.generation) {
      prepared = { generation: this.#source.generation, wanted: this.#prepare(request) };
      this.#prepared.set(request, prepared);
    }
    const credentials = await this.#get(prepared.wanted);
    this.#checkUse(request);
    return credentials;
  }

  /** The user was locked, deleted or given other roles. Calls on their way answer those who wait, and are not kept. */
  flush(user: string): void {
    for (const [key, entry] of this.#entries.entries()) if (entry.user === user) this.#entries.delete(key);
  }

  flushAll(): void {
    this.#entries.clear();
  }

  get size(): number {
    return this.#entries.size;
  }

  #checkUse(request: AssumeRoleRequest): void {
    if (request.useUntilMs !== undefined && this.#client.now() >= request.useUntilMs) {
      throw new CredentialError('expired', `the session of ${request.user} has ended; sign in again`);
    }
  }

  #prepare(request: AssumeRoleRequest): Wanted {
    const { first, last } = hopsOf(request);
    if (first === undefined) return { key: this.#keyOf(request.user, last), user: request.user, call: last };
    const via = { key: this.#keyOf(undefined, first), user: undefined, call: first };
    return { key: this.#keyOf(request.user, last, via.key), user: request.user, call: last, via };
  }

  #keyOf(user: string | undefined, call: AssumeRoleCall, via?: string): string {
    return JSON.stringify([this.#source.generation, user ?? null, via ?? null, call]);
  }

  async #get(wanted: Wanted): Promise<Credentials> {
    const now = this.#client.now();
    let entry = this.#entries.get(wanted.key);
    if (entry === undefined) {
      entry = { user: wanted.user, refreshAtMs: 0 };
      this.#entries.set(wanted.key, entry);
    }
    const { credentials } = entry;
    if (credentials !== undefined && (credentials.expiresAtMs ?? 0) > now + minUseMs) {
      if (now >= entry.refreshAtMs && entry.flight === undefined) this.#refresh(entry, wanted);
      return credentials;
    }
    if (entry.failure !== undefined && entry.failure.untilMs > now) throw entry.failure.error;
    return this.#fetch(entry, wanted);
  }

  #refresh(entry: Entry, wanted: Wanted): void {
    entry.refreshAtMs = this.#client.now() + retryRefreshMs;
    this.#fetch(entry, wanted).catch((error: unknown) => {
      // of these the source tells, once for all roles
      if (isOwnLack(error)) return;
      const detail = error instanceof CredentialError ? (error.detail ?? error.message) : String(error);
      this.#log('warn', 'credentials of a role could not be renewed and the old ones are used', { role: wanted.call.roleArn, detail });
    });
  }

  #fetch(entry: Entry, wanted: Wanted): Promise<Credentials> {
    entry.flight ??= this.#fly(entry, wanted).finally(() => {
      delete entry.flight;
    });
    return entry.flight;
  }

  async #fly(entry: Entry, wanted: Wanted): Promise<Credentials> {
    if (this.#flights >= this.#maxFlights) {
      throw new CredentialError('unavailable', 'this agent is assuming too many roles at once; try again in a second', {
        retryAfterMs: 1000,
      });
    }
    this.#flights += 1;
    try {
      const credentials = await this.#assumeFrom(wanted);
      const now = this.#client.now();
      const left = (credentials.expiresAtMs ?? now) - now;
      const lead = Math.min(Math.max(left / 4, 5 * minute), 15 * minute) + this.#client.random() * minute;
      entry.credentials = credentials;
      entry.refreshAtMs = now + Math.max(left - lead, retryRefreshMs);
      delete entry.failure;
      return credentials;
    } catch (error) {
      if (!(error instanceof CredentialError)) throw error;
      entry.failure = { error, untilMs: this.#client.now() + this.#holdMs(error) };
      throw error;
    } finally {
      this.#flights -= 1;
    }
  }

  async #assumeFrom({ via, call }: Wanted): Promise<Credentials> {
    const caller = via === undefined ? await this.#source.current() : await this.#get(via);
    try {
      const credentials = await this.#assume(caller, call);
      if (via === undefined) this.#source.taken(caller);
      return credentials;
    } catch (error) {
      if (!isOwnLack(error)) throw error;
      if (via === undefined) {
        this.#source.refused(caller, error.message);
        throw error;
      }
      // The agent's own keys had opened this session: it has ended before its time, and the next call opens another.
      if (this.#entries.get(via.key)?.credentials === caller) this.#entries.delete(via.key);
      throw new CredentialError(
        'unavailable',
        `STS has ended the session of role ${via.call.roleArn} early; try again`,
        error.detail === undefined ? {} : { detail: error.detail },
      );
    }
  }

  /** How long a failure answers for the next callers. What STS got wrong is never held: the next answer may be right. */
  #holdMs(error: CredentialError): number {
    if (error.code === 'denied') return 5000 + this.#client.random() * 5000;
    return error.code === 'unavailable' ? (error.retryAfterMs ?? 500) : 0;
  }

  /** Tags and source identity are wanted but not vital: where the role refuses them the call is made once more without, never twice. */
  async #assume(caller: Credentials, call: AssumeRoleCall): Promise<Credentials> {
    const attempt = withoutExtras(call, this.#refused.of(call.roleArn));
    const sent = extrasOf(attempt);
    try {
      return await assumeRole(this.#client, caller, attempt);
    } catch (error) {
      if (!(error instanceof CredentialError) || error.code !== 'denied' || !(sent.tags || sent.sourceIdentity)) throw error;
      const credentials = await assumeRole(this.#client, caller, withoutExtras(attempt, { tags: true, sourceIdentity: true }));
      const refused = extrasNamedIn(error.detail, sent);
      if (this.#refused.remember(call.roleArn, refused)) {
        this.#log('warn', 'the trust policy of a role refuses session tags or the source identity; it is assumed without', {
          role: call.roleArn,
          refused: [...(refused.tags ? ['sts:TagSession'] : []), ...(refused.sourceIdentity ? ['sts:SetSourceIdentity'] : [])],
        });
      }
      return credentials;
    }
  }
}

type Wanted = {
  readonly key: string;
  readonly user: string | undefined;
  readonly call: AssumeRoleCall;
  /** the first hop, whose keys sign the call; the agent's own where there is none */
  readonly via?: Wanted;
};
