import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { LINE_TOKEN_BYTES } from '#reverse/line-hello.ts';

/** From the word that an agent shall open a line to the line: a round trip and a half, and the queue of a busy time. */
const LIVES_MS = 10_000;

interface Asked {
  readonly came: (line: Socket) => void;
  readonly expires: NodeJS.Timeout;
}

/** The lines that a proxy has asked for and does not have yet. A token is good once: who has read it on the wire comes too late. */
export class LineTokens {
  readonly #asked = new Map<string, Asked>();

  issue(came: (line: Socket) => void, expired: () => void): Buffer {
    const token = randomBytes(LINE_TOKEN_BYTES);
    const name = token.toString('hex');
    const expires = setTimeout(() => {
      this.#asked.delete(name);
      expired();
    }, LIVES_MS).unref();
    this.#asked.set(name, { came, expires });
    return token;
  }

  /** False where nobody asked for it, or its time is over. */
  redeem(token: string, line: Socket): boolean {
    const asked = this.#asked.get(token);
    if (asked === undefined) return false;
    this.#asked.delete(token);
    clearTimeout(asked.expires);
    asked.came(line);
    return true;
  }
}
