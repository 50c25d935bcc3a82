import { hash } from 'node:crypto';
import { type Identity, Identity_Kind, PosternError } from '@postern/api';
import { limits } from '@postern/limits';
import type { Peer } from '@postern/pki';
import type { GrpcConnection } from '@postern/tunnel';
import type { Certified, Refused, Standing } from '#authorise/authorizer.ts';
import { decided } from '#authorise/permit.ts';
import { errorCodeOf, LiveSession } from '#session/live-session.ts';

export interface OpenSessionsOptions {
  readonly resourceKind: 'db' | 'app';
  /** Signature by the user CA, cluster, kind, dates; throws what may be shown. */
  readonly verifyPeer: (certificateDer: Buffer) => Peer;
  readonly standingOf: (who: Certified) => Standing;
  /** Does this agent serve the resource now? */
  readonly serves: (resourceName: string) => boolean;
  /** Another number after each change of a user or a role. */
  readonly rulesVersion: () => number;
  /** Where a session's requests go: another object after each change of its resource or the labels of that. */
  readonly placeOf: (session: LiveSession) => object;
  readonly onStart: (session: LiveSession) => void;
  readonly onEnd: (session: LiveSession) => void;
  readonly onRefused: (refused: RefusedConnection) => void;
}

export interface RefusedConnection {
  readonly reason: string;
  readonly clientAddress: string;
  /** Known where the certificate could be read. */
  readonly identity?: Identity;
}

/** Every session certificate that has a connection here now, by the hash of its DER. */
export class OpenSessions {
  readonly #options: OpenSessionsOptions;
  readonly #sessions = new Map<string, LiveSession>();
  readonly #connectionsOf = new Map<string, number>();

  constructor(options: OpenSessionsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** After the handshake, before a byte of gRPC: the error is for the holder of a session's certificate, and who has none hears nothing. */
  admit(connection: GrpcConnection): boolean | PosternError {
    const { certificateDer, remoteAddress } = connection;
    let identity: Identity | undefined;
    try {
      if (!certificateDer) throw new PosternError('unauthenticated', 'no certificate was sent');
      const key = fingerprint(certificateDer);
      const known = this.#sessions.get(key);
      const session = known ?? this.#open(this.#options.verifyPeer(certificateDer), remoteAddress);
      identity = session.facts.identity;
      const stopped = session.endedBy ?? this.whyNot(session);
      if (stopped) throw new PosternError(errorCodeOf(stopped), stopped.reason);
      this.#count(session.user, connection);
      session.addConnection(connection, () => this.#close(key, session));
      if (!known) {
        this.#sessions.set(key, session);
        this.#options.onStart(session);
      }
      return true;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.onRefused({ reason, clientAddress: remoteAddress, ...(identity ? { identity } : {}) });
      return identity !== undefined && error instanceof PosternError ? error : false;
    }
  }

  /** The session of a call's connection. */
  find(certificateDer: Buffer | undefined): LiveSession | undefined {
    return certificateDer && this.#sessions.get(fingerprint(certificateDer));
  }

  withSerial(serial: string): LiveSession | undefined {
    return [...this.#sessions.values()].find((session) => session.facts.serial === serial);
  }

  /** What ends a session as a whole. Asked when it opens, at each stream, at each change of the view, and each second. */
  whyNot(session: LiveSession): Refused | undefined {
    const stopped = session.facts.standing.check();
    if (stopped) return stopped;
    const { resourceName } = session.facts.route;
    if (this.#options.serves(resourceName)) return undefined;
    return { allowed: false, cause: 'identity', reason: `${this.#options.resourceKind}/${resourceName} is not served by this agent` };
  }

  /**
   * Ends every session that may not go on, and within those that may what would not be begun now. A timer set at the start would not see a
   * clock that was moved, nor a lock.
   */
  sweep(): void {
    for (const session of this.#sessions.values()) {
      const stopped = decided(() => this.whyNot(session) ?? this.#review(session));
      if (stopped) session.end(stopped);
    }
  }

  #review(session: LiveSession): undefined {
    const { rulesVersion, placeOf } = this.#options;
    session.review(rulesVersion(), placeOf(session));
  }

  endAll(why: Refused): void {
    for (const session of this.#sessions.values()) session.end(why);
  }

  #count(user: string, connection: GrpcConnection): void {
    const count = this.#connectionsOf.get(user) ?? 0;
    const most = limits.sessionConnectionsPerUser;
    if (count >= most) throw new PosternError('limit_exceeded', `${user} has ${most} connections to this agent open: close some`);
    this.#connectionsOf.set(user, count + 1);
    connection.onClose(() => {
      const left = (this.#connectionsOf.get(user) ?? 1) - 1;
      if (left > 0) this.#connectionsOf.set(user, left);
      else this.#connectionsOf.delete(user);
    });
  }

  #open(peer: Peer, clientAddress: string): LiveSession {
    const { route, kind } = peer.identity;
    if (kind !== Identity_Kind.SESSION || !route) throw new PosternError('denied', 'this certificate is not for a session');
    if (route.resourceKind !== this.#options.resourceKind) {
      throw new PosternError(
        'denied',
        `this certificate is for ${route.resourceKind}/${route.resourceName}, and this agent serves ${this.#options.resourceKind}`,
      );
    }
    return new LiveSession({ ...peer, route, clientAddress, standing: this.#options.standingOf(peer) });
  }

  #close(key: string, session: LiveSession): void {
    if (this.#sessions.get(key) !== session) return;
    this.#sessions.delete(key);
    // What its certificate's end has cut is often left by its client before the next sweep: that is no leaving of its own accord.
    const stopped = decided(() => this.whyNot(session));
    if (stopped) session.end(stopped);
    this.#options.onEnd(session);
  }
}

/** Every stream of a connection comes with the same Buffer. */
const fingerprints = new WeakMap<Buffer, string>();

function fingerprint(certificateDer: Buffer): string {
  const known = fingerprints.get(certificateDer);
  if (known !== undefined) return known;
  const made = hash('sha256', certificateDer, 'base64');
  fingerprints.set(certificateDer, made);
  return made;
}
