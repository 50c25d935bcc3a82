import { argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { PosternError } from '@postern/api';

const deriveKey = promisify(argon2);

/** OWASP's second choice for argon2id (19 MiB, two passes): about 40 ms on one core. */
const PARAMETERS = { memory: 19_456, passes: 2, parallelism: 1, tagLength: 32 } as const;
const MAX_RUNNING = 2;
const MAX_WAITING = 64;

/**
 * Hashes and checks passwords, at most two at once, as each takes a core and 19 MiB; past the waiting line the answer is
 * `limit_exceeded`, so that a flood of sign-ins cannot take the machine from everything else.
 */
export class PasswordHasher {
  // Made by `create`, so that the first stranger's sign-in takes no longer than the second's.
  private constructor() {}

  #running = 0;
  readonly #waiting: (() => void)[] = [];
  #absentUsersHash = '';

  static async create(): Promise<PasswordHasher> {
    const hasher = new PasswordHasher();
    hasher.#absentUsersHash = await hasher.hash(randomBytes(32).toString('hex'));
    return hasher;
  }

  /** PHC string: `$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH`. */
  async hash(password: string): Promise<string> {
    const salt = randomBytes(16);
    const tag = await this.#derive(password, salt, PARAMETERS);
    const { memory, passes, parallelism } = PARAMETERS;
    return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${unpadded(salt)}$${unpadded(tag)}`;
  }

  /**
   * Takes the same time for a user who does not exist (`undefined`): a hash of random bytes is checked in place of his.
   */
  async verify(password: string, phc: string | undefined): Promise<boolean> {
    const stored = parsePhc(phc ?? this.#absentUsersHash);
    const tag = await this.#derive(password, stored.salt, stored);
    return timingSafeEqual(tag, stored.tag) && phc !== undefined;
  }

  async #derive(
    password: string,
    salt: Buffer,
    p: { memory: number; passes: number; parallelism: number; tagLength: number },
  ): Promise<Buffer> {
    await this.#enter();
    try {
      const { memory, passes, parallelism, tagLength } = p;
      return Buffer.from(await deriveKey('argon2id', { message: password, nonce: salt, memory, passes, parallelism, tagLength }));
    } finally {
      this.#leave();
    }
  }

  async #enter(): Promise<void> {
    if (this.#running < MAX_RUNNING) {
      this.#running++;
      return;
    }
    if (this.#waiting.length >= MAX_WAITING)
      throw new PosternError('limit_exceeded', 'too many sign-ins at once: try again in a few seconds');
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#running--;
    else next();
  }
}

function parsePhc(phc: string) {
  const match = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/.exec(phc);
  const [, memory, passes, parallelism, salt, tag] = match ?? [];
  if (salt === undefined || tag === undefined) throw new PosternError('internal', 'a stored password hash is malformed');
  const tagBytes = Buffer.from(tag, 'base64');
  return {
    memory: Number(memory),
    passes: Number(passes),
    parallelism: Number(parallelism),
    salt: Buffer.from(salt, 'base64'),
    tag: tagBytes,
    tagLength: tagBytes.length,
  };
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}
