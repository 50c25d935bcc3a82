import type { Duplex } from 'node:stream';
import { type Identity, PosternError, type Route } from '@postern/api';
import type { GrpcConnection } from '@postern/tunnel';
import type { Refused, Standing } from '#authorise/authorizer.ts';
import type { Permit } from '#authorise/permit.ts';
import { Roster } from '#session/roster.ts';

export interface LiveSessionFacts {
  readonly identity: Identity;
  readonly route: Route;
  readonly serial: string;
  readonly notAfterMs: number;
  readonly clientAddress: string;
  readonly standing: Standing;
}

/**
 * For so long a session that is ended still answers its requests, each with the reason in words; a program that is merely
 * hung up on tells its user nothing. What is under way is cut after it. With the second between two looks this stays below
 * the five seconds that are promised.
 */
const LAST_WORDS_MS = 2000;
/** Then a stream has so long to carry its status before the connection below is closed. */
const LAST_STATUS_MS = 500;

/**
 * One certificate at work: the TLS connections that were opened with it and the streams within. It ends with the last
 * connection, or when the certificate, the user or a lock says so.
 */
export class LiveSession {
  readonly facts: LiveSessionFacts;
  readonly #connections = new Set<GrpcConnection>();
  readonly #streams = new Set<Duplex>();
  readonly #permits = new Roster<Permit>();
  /** What the permits were last reviewed by. */
  #rulesVersion: number | undefined;
  #place: object | undefined;
  #endedBy: Refused | undefined;

  constructor(facts: LiveSessionFacts) {
    this.facts = facts;
  }

  get id(): string {
    return this.facts.identity.sessionId;
  }
  get user(): string {
    return this.facts.identity.name;
  }
  get connectionCount(): number {
    return this.#connections.size;
  }
  get streamCount(): number {
    return this.#streams.size;
  }
  /** Why it was ended from here; undefined where the client left. */
  get endedBy(): Refused | undefined {
    return this.#endedBy;
  }

  addConnection(connection: GrpcConnection, onLastClosed: () => void): void {
    this.#connections.add(connection);
    connection.onClose(() => {
      this.#connections.delete(connection);
      if (this.#connections.size === 0) onLastClosed();
    });
  }

  addStream(stream: Duplex): void {
    this.#streams.add(stream);
    stream.once('close', () => this.#streams.delete(stream));
  }

  /** Between `enter` and `leave` it is reviewed, and it ends with the session. To be entered in the turn in which it was decided. */
  enter(permit: Permit): void {
    this.#permits.add(permit);
  }

  leave(permit: Permit): void {
    this.#permits.remove(permit);
  }

  /**
   * Cuts what is under way and would be refused now. Asked again and again, it decides anew only where the rules or the place are
   * others than the last time; `place` is another object after each change of the resource or its labels.
   */
  review(rulesVersion: number, place: object): void {
    if (this.#permits.size === 0 || (this.#rulesVersion === rulesVersion && this.#place === place)) return;
    this.#rulesVersion = rulesVersion;
    this.#place = place;
    for (const permit of this.#permits.all()) permit.review();
  }

  /** From here on every request is refused with the reason; then every stream is cut, whatever is on its way. */
  end(why: Refused): void {
    if (this.#endedBy) return;
    this.#endedBy = why;
    setTimeout(() => this.#cut(why), LAST_WORDS_MS).unref();
  }

  #cut(why: Refused): void {
    for (const permit of this.#permits.all()) permit.end(why);
    const error = new PosternError(errorCodeOf(why), why.reason);
    for (const stream of this.#streams) stream.destroy(error);
    setTimeout(() => {
      for (const connection of this.#connections) connection.destroy();
    }, LAST_STATUS_MS).unref();
  }
}

export function errorCodeOf(why: Refused): 'expired' | 'locked' | 'unavailable' | 'denied' {
  if (why.cause === 'expired' || why.cause === 'locked') return why.cause;
  return why.cause === 'stale' ? 'unavailable' : 'denied';
}
