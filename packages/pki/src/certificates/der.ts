import { PkiError } from '#pki-error.ts';

/** One element of DER: `start` and `end` bound its content within `bytes`; `outerStart` is where its tag stands. */
export interface DerElement {
  readonly tag: number;
  readonly bytes: Buffer;
  readonly outerStart: number;
  readonly start: number;
  readonly end: number;
}

export const derTag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  version: 0xa0,
  issuerUniqueId: 0x81,
  subjectUniqueId: 0x82,
  extensions: 0xa3,
  uniformResourceIdentifier: 0x86,
} as const;

const MAX_LENGTH_OCTETS = 4;

/**
 * Reads the element that begins at `offset` and must end by `limit`. DER only (X.690 section 10): definite lengths in
 * their shortest form, tags of one byte. Anything else is refused, because two readers that disagree about one
 * certificate are how a forged one passes.
 */
export function readElement(bytes: Buffer, offset: number, limit: number): DerElement {
  const tag = byteAt(bytes, offset, limit);
  if ((tag & 0x1f) === 0x1f) throw malformed('a tag of several bytes');
  const first = byteAt(bytes, offset + 1, limit);
  let start = offset + 2;
  let length = first;
  if (first >= 0x80) {
    const octets = first & 0x7f;
    if (octets === 0 || octets > MAX_LENGTH_OCTETS) throw malformed('an indefinite or overlong length');
    length = 0;
    for (let i = 0; i < octets; i++) length = length * 256 + byteAt(bytes, start + i, limit);
    start += octets;
    if (length < 0x80 || length < 256 ** (octets - 1)) throw malformed('a length that is not in its shortest form');
  }
  const end = start + length;
  if (end > limit) throw malformed('an element longer than what holds it');
  return { tag, bytes, outerStart: offset, start, end };
}

/** Walks the elements inside `parent`, in order; every byte must be accounted for. */
export class DerCursor {
  readonly #bytes: Buffer;
  readonly #end: number;
  #offset: number;

  constructor(parent: Pick<DerElement, 'bytes' | 'start' | 'end'>) {
    this.#bytes = parent.bytes;
    this.#offset = parent.start;
    this.#end = parent.end;
  }

  get atEnd(): boolean {
    return this.#offset === this.#end;
  }

  next(tag: number): DerElement {
    const element = readElement(this.#bytes, this.#offset, this.#end);
    if (element.tag !== tag) throw malformed(`tag ${element.tag} where ${tag} must stand`);
    this.#offset = element.end;
    return element;
  }

  /** For what may be absent (DEFAULT, OPTIONAL) and is recognised by its tag. */
  nextIf(tag: number): DerElement | undefined {
    return !this.atEnd && this.#bytes[this.#offset] === tag ? this.next(tag) : undefined;
  }

  nextOfAny(): DerElement {
    const element = readElement(this.#bytes, this.#offset, this.#end);
    this.#offset = element.end;
    return element;
  }

  finish(): void {
    if (!this.atEnd) throw malformed('bytes after the last element');
  }
}

export function contentOf(element: DerElement): Buffer {
  return element.bytes.subarray(element.start, element.end);
}

/** DER has one encoding of TRUE. */
export function readBoolean(element: DerElement): boolean {
  const content = contentOf(element);
  if (content.length !== 1 || (content[0] !== 0x00 && content[0] !== 0xff)) throw malformed('a boolean that is not DER');
  return content[0] === 0xff;
}

/** RFC 5280, 4.1.2.5: UTCTime until 2049, GeneralizedTime after it, both with seconds and in Zulu. */
export function readTimeMs(element: DerElement): number {
  const text = contentOf(element).toString('latin1');
  const shape =
    element.tag === derTag.utcTime ? /^(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/ : /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/;
  const isTime = element.tag === derTag.utcTime || element.tag === derTag.generalizedTime;
  const match = isTime ? shape.exec(text) : null;
  if (!match) throw malformed('a time that is not RFC 5280');
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  const fullYear = element.tag === derTag.utcTime ? year + (year < 50 ? 2000 : 1900) : year;
  const timeMs = Date.UTC(fullYear, month - 1, day, hour, minute, second);
  const back = new Date(timeMs);
  if (back.getUTCMonth() !== month - 1 || back.getUTCDate() !== day || back.getUTCHours() !== hour || back.getUTCMinutes() !== minute) {
    throw malformed('a date that does not exist');
  }
  return timeMs;
}

function byteAt(bytes: Buffer, offset: number, limit: number): number {
  const byte = offset < limit ? bytes[offset] : undefined;
  if (byte === undefined) throw malformed('its end comes too early');
  return byte;
}

function malformed(what: string): PkiError {
  return new PkiError('malformed', `the certificate is not valid DER: ${what}`);
}
