import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { LINE_NAME_BYTES, LINE_TOKEN_BYTES } from '#reverse/line-hello.ts';

/** A connection that an agent opened because it was asked, and the key that the two said it with. */
export interface Line {
  readonly socket: Socket;
  readonly key: Buffer;
}

interface Asked {
  readonly key: Buffer;
  readonly came: (line: Line) => void;
  readonly expires: NodeJS.Timeout;
}

/** From the word that an agent shall open a line to the line: a round trip and a half, and the queue of a busy time. */
export const LINE_TOKEN_LIVES_MS = 10_000;

/** The lines that a proxy has asked for and does not have yet. */
export class LineTokens {
  readonly #asked = new Map<string, Asked>();

  /** Good once, and for ten seconds. */
  issue(came: (line: Line) => void, expired: () => void): Buffer {
    const token = randomBytes(LINE_TOKEN_BYTES);
    const name = token.toString('hex', 0, LINE_NAME_BYTES);
    const expires = setTimeout(() => {
      this.#asked.delete(name);
      expired();
    }, LINE_TOKEN_LIVES_MS).unref();
    this.#asked.set(name, { key: token.subarray(LINE_NAME_BYTES), came, expires });
    return token;
  }

  /** False where nobody asked for it, or its time is over. */
  redeem(name: string, socket: Socket): boolean {
    const asked = this.#asked.get(name);
    if (asked === undefined) return false;
    this.#asked.delete(name);
    clearTimeout(asked.expires);
    asked.came({ socket, key: asked.key });
    return true;
  }
}
