import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto';
import { PosternError } from '@postern/api';

const ALGORITHM = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;

export interface Sealed {
  /** Which key: the first characters of its hash, so that a wrong key file is named rather than guessed at. */
  readonly keyId: string;
  /** Base64 of IV, ciphertext and tag. */
  readonly data: string;
}

/** Encrypts what must not be read from a stolen store: the authorities' keys and the route keys. */
export class Sealer {
  readonly keyId: string;
  readonly #key: Buffer;

  constructor(key: Buffer) {
    if (key.length !== 32) throw new PosternError('internal', 'the seal key is not 32 bytes');
    this.#key = key;
    this.keyId = createHash('sha256').update('postern seal key').update(key).digest('hex').slice(0, 16);
  }

  /** `context` is bound to the ciphertext: a sealed value moved to another place does not open. */
  seal(plain: Buffer, context: string): Sealed {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#key, iv).setAAD(Buffer.from(context));
    const body = Buffer.concat([cipher.update(plain), cipher.final()]);
    return { keyId: this.keyId, data: Buffer.concat([iv, body, cipher.getAuthTag()]).toString('base64') };
  }

  open(sealed: Sealed, context: string): Buffer {
    if (sealed.keyId !== this.keyId) {
      throw new PosternError('internal', `${context} is sealed with key ${sealed.keyId}, and the seal key file holds ${this.keyId}`);
    }
    const bytes = Buffer.from(sealed.data, 'base64');
    try {
      const decipher = createDecipheriv(ALGORITHM, this.#key, bytes.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES });
      decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
      return Buffer.concat([decipher.update(bytes.subarray(IV_BYTES, bytes.length - TAG_BYTES)), decipher.final()]);
    } catch (error) {
      throw new PosternError('internal', `${context} does not open with the seal key: the store was changed`, { cause: error });
    }
  }

  /** A key for one purpose, 32 bytes, from which this one cannot be told. */
  keyFor(purpose: string): Buffer {
    return createHmac('sha256', this.#key).update(`key\0${purpose}`).digest();
  }

  /** Proves that auth itself wrote `text`: for what travels through a client and comes back. */
  mac(text: string, context: string): Buffer {
    return createHmac('sha256', this.#key).update(`${context}\0${text}`).digest().subarray(0, 16);
  }
}
