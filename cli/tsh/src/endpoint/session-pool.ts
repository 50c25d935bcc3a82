import type { Duplex } from 'node:stream';
import { CONNECT_KEYS } from '@postern/api/connect-keys';
import { PosternError } from '@postern/api/errors';
import type { ProfileStore } from '@postern/profile/profile-store';
import { type GlobalOptions, loginExpired, type SignedIn, signedInAs } from '@postern/profile/signed-in';
import { loadKey, type LocalKey, renewKey } from '#apps/local-key.ts';
import { loggedOut } from '#apps/logged-out.ts';
import type { ConnectHeaders } from '#sessions/agent-channel.ts';
import type { ResourceSession } from '#sessions/resource-session.ts';
import { sessionOver } from '#sessions/session-over.ts';

export interface SessionPoolOptions {
  readonly store: ProfileStore;
  readonly globals: GlobalOptions;
  readonly notice: (line: string) => void;
  readonly nowMs?: () => number;
  /** How a session begins; for tests. */
  readonly open?: (who: SignedIn, key: LocalKey) => Pick<ResourceSession, 'openStream' | 'close'>;
}

interface Held {
  readonly key: LocalKey;
  readonly who: SignedIn;
  readonly session: Pick<ResourceSession, 'openStream' | 'close'>;
  streams: number;
  usedAtMs: number;
}

/** So long a session is kept open that nobody uses. */
const IDLE_MS = 10 * 60_000;
const LOOK_EVERY_MS = 1_000;

/** A session for each throw-away key that requests name, opened with the first of them and closed when it is idle or its login gone. */
export class SessionPool {
  readonly #options: SessionPoolOptions;
  readonly #nowMs: () => number;
  readonly #held = new Map<string, Held>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: SessionPoolOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? Date.now;
    this.#timer = setInterval(() => this.look(), LOOK_EVERY_MS).unref();
  }

  get size(): number {
    return this.#held.size;
  }

  /** A stream for a request that names the key; rejects in words where no login of this machine's user has it. */
  async openStream(accessKeyId: string, localPort: number, more: ConnectHeaders = {}): Promise<Duplex> {
    const held = this.#hold(accessKeyId);
    held.streams += 1;
    try {
      const { key } = held;
      const stream = await held.session.openStream({
        [CONNECT_KEYS.localPort]: String(localPort),
        [CONNECT_KEYS.localKey]: `${key.accessKeyId}:${key.secretAccessKey}`,
        ...more,
      });
      stream.once('close', () => this.#released(held));
      return stream;
    } catch (error) {
      this.#released(held);
      throw error;
    }
  }

  /** Closes what is idle, and what a logout or the end of a login has taken the ground from; its streams end with it. */
  look(): void {
    const nowMs = this.#nowMs();
    for (const [accessKeyId, held] of this.#held) {
      const { who } = held;
      const isIdle = held.streams === 0 && nowMs - held.usedAtMs >= IDLE_MS;
      const over = who.profile.validUntilMs <= nowMs ? loginExpired(who.profile) : loggedOut(who, held.key);
      if (over !== undefined) this.#options.notice(over.message);
      if (isIdle || over !== undefined) this.#drop(accessKeyId, held);
    }
  }

  close(): void {
    clearInterval(this.#timer);
    for (const [accessKeyId, held] of this.#held) this.#drop(accessKeyId, held);
  }

  #hold(accessKeyId: string): Held {
    const known = this.#held.get(accessKeyId);
    // A key that was taken away opens nothing, also between two looks.
    if (known?.who.store.kept(known.who.profile, 'key').has(accessKeyId) === true && known.who.profile.validUntilMs > this.#nowMs())
      return known;
    if (known !== undefined) this.#drop(accessKeyId, known);
    const { who, key } = this.#find(accessKeyId);
    const session = this.#options.open?.(who, key) ?? this.#sessionOf(who, key);
    const held: Held = { key, who, session, streams: 0, usedAtMs: this.#nowMs() };
    this.#held.set(accessKeyId, held);
    return held;
  }

  #sessionOf(who: SignedIn, key: LocalKey): ResourceSession {
    return sessionOver(who, key.grant, { notice: this.#options.notice, onRenewed: (grant) => renewKey(who, key, grant) });
  }

  #find(accessKeyId: string): { readonly who: SignedIn; readonly key: LocalKey } {
    const { store, globals } = this.#options;
    const profiles = store.list();
    for (const profile of profiles) {
      const key = loadKey({ store, profile }, accessKeyId);
      if (key !== undefined) return { who: signedInAs(profile, { globals, store, nowMs: this.#nowMs() }), key };
    }
    throw new PosternError(
      'unauthenticated',
      profiles.length === 0
        ? 'not logged in: run tsh login, and let the program ask for credentials anew'
        : `no login of yours has the access key ${accessKeyId}: run tsh apps login, and let the program ask for credentials anew`,
    );
  }

  #released(held: Held): void {
    held.streams -= 1;
    held.usedAtMs = this.#nowMs();
  }

  #drop(accessKeyId: string, held: Held): void {
    if (this.#held.get(accessKeyId) === held) this.#held.delete(accessKeyId);
    held.session.close();
  }
}
