import type { Socket } from 'node:net';

/** Whoever asks for something new is told within two seconds that auth is away: a person waits for it. */
const SILENT_MS = 1_400;
/** Auth was silent a moment ago, and nothing has been heard of it since. Some commands ask twice. */
const STILL_SILENT_MS = 300;

export class AuthIsSilent extends Error {
  constructor() {
    super('auth says nothing to anybody');
  }
}

export interface AuthPulseOptions {
  readonly silentMs?: number;
  readonly stillSilentMs?: number;
  /** A clock that nobody sets. */
  readonly nowMs?: () => number;
}

/**
 * Tells an auth that stands still from one that is busy. The kernel of a process that is frozen, or of a machine that swaps, goes on
 * accepting connections, and whoever comes would wait for his own patience to end. One that is busy with thousands of handshakes lets a new
 * one wait as long, but it is heard meanwhile on other connections.
 */
export class AuthPulse {
  readonly #options: Required<AuthPulseOptions>;
  #heardMs = Number.NEGATIVE_INFINITY;
  #isSilent = false;

  constructor(options: AuthPulseOptions = {}) {
    this.#options = { silentMs: SILENT_MS, stillSilentMs: STILL_SILENT_MS, nowMs: () => performance.now(), ...options };
  }

  /** Call for whatever comes from auth. */
  heard(): void {
    this.#heardMs = this.#options.nowMs();
    this.#isSilent = false;
  }

  /** Destroys a connection to auth with AuthIsSilent where neither it nor any other has brought a byte for so long. */
  expect(connection: Socket): void {
    const { silentMs, stillSilentMs } = this.#options;
    this.#await(connection, this.#isSilent ? stillSilentMs : silentMs);
  }

  /** Nothing of it stays once auth has answered: thousands of agents keep their connection for hours. */
  #await(connection: Socket, ms: number): void {
    const sinceMs = this.#options.nowMs();
    setTimeout(() => {
      if (connection.bytesRead > 0) return this.heard();
      if (connection.destroyed) return;
      if (this.#heardMs >= sinceMs) return this.#await(connection, this.#options.silentMs);
      this.#isSilent = true;
      connection.destroy(new AuthIsSilent());
    }, ms).unref();
  }
}
