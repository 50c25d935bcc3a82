import { HttpFault } from '#grammar/http-fault.ts';
import { COLON, CR, LF, SP, TAB, TOKEN, VALUE } from '#grammar/octets.ts';

/** How a body ends, where it is not a number of bytes. */
export const CHUNKED = -1;
export const UNSAID = -2;

/** The lines of a head, and what they say of the message's frame. */
export interface FieldBlock {
  /** Flat: name, value, name, value …; order and spelling as they came, one character a byte, no blanks around a value. */
  readonly fields: readonly string[];
  /** Bytes of the body, CHUNKED, or UNSAID. */
  readonly length: number;
  /** The value of Connection, in lower case; undefined where there is none, joined by a comma where there are several. */
  readonly connection: string | undefined;
  readonly expect: string | undefined;
  readonly hosts: number;
}

/** A length of 16 digits could be more than a double holds exactly. */
const MAX_LENGTH_DIGITS = 15;
const DIGITS = /^[0-9]+$/;

/**
 * Reads field lines from `at` to the empty line that `text` ends with. One pass; a line ends with CRLF and nothing else, is never
 * folded, and at most one line says how long the body is: RFC 9112 5 and 6, where it allows two readings it is refused. Throws HttpFault.
 */
export function readFields(text: string, at: number, maxLines: number): FieldBlock {
  const fields: string[] = [];
  let length = UNSAID;
  let connection: string | undefined;
  let expect: string | undefined;
  let hosts = 0;
  const last = text.length - 2;
  let i = at;
  while (i < last) {
    if (fields.length === 2 * maxLines) throw new HttpFault(`more than ${maxLines} header lines`, 431);
    const nameFrom = i;
    let octet = text.charCodeAt(i);
    while (TOKEN[octet] === 1) octet = text.charCodeAt((i += 1));
    if (octet !== COLON || i === nameFrom) throw badName(octet, i === nameFrom);
    const name = spelled(text.slice(nameFrom, i));

    octet = text.charCodeAt((i += 1));
    while (octet === SP || octet === TAB) octet = text.charCodeAt((i += 1));
    const valueFrom = i;
    let valueTo = i;
    while (VALUE[octet] === 1) {
      i += 1;
      if (octet !== SP && octet !== TAB) valueTo = i;
      octet = text.charCodeAt(i);
    }
    if (octet !== CR || text.charCodeAt(i + 1) !== LF) throw badValue(octet);
    i += 2;
    const value = text.slice(valueFrom, valueTo);
    fields.push(name, value);

    // What frames the message is judged with the blanks behind it: behind "chunked" llhttp takes a tab for a part of the word.
    switch (name.length) {
      case 4:
        if (name.toLowerCase() === 'host') hosts += 1;
        break;
      case 6:
        if (name.toLowerCase() === 'expect') expect = expect === undefined ? value.toLowerCase() : `${expect}, ${value}`;
        break;
      case 10:
        if (name.toLowerCase() === 'connection')
          connection = connection === undefined ? value.toLowerCase() : `${connection}, ${value.toLowerCase()}`;
        break;
      case 14:
        if (name.toLowerCase() === 'content-length') length = oneFrame(length, lengthOf(text.slice(valueFrom, i - 2)));
        break;
      case 17:
        if (name.toLowerCase() === 'transfer-encoding') length = oneFrame(length, chunkedOf(text.slice(valueFrom, i - 2)));
        break;
      default:
    }
  }
  return { fields, length, connection, expect, hosts };
}

function lengthOf(value: string): number {
  if (value.length > MAX_LENGTH_DIGITS || !DIGITS.test(value)) throw new HttpFault('Content-Length is not a number of bytes');
  return Number(value);
}

function chunkedOf(value: string): number {
  if (value.toLowerCase() !== 'chunked') throw new HttpFault('the header Transfer-Encoding may say chunked, and nothing else');
  return CHUNKED;
}

function oneFrame(before: number, now: number): number {
  if (before !== UNSAID) throw new HttpFault('the header says twice where the message ends');
  return now;
}

function badName(octet: number, isFirst: boolean): HttpFault {
  if (isFirst && (octet === SP || octet === TAB)) return new HttpFault('a header line is folded');
  if (octet === SP || octet === TAB) return new HttpFault('a blank stands before the colon of a header line');
  return new HttpFault('a header line has no name, or one that no header may have');
}

function badValue(octet: number): HttpFault {
  return new HttpFault(octet === CR || octet === LF ? 'a line does not end with CRLF' : 'a header value holds a control character');
}

/** Clients send a few dozen spellings; a hostile one must not be able to grow this. */
const MAX_SPELLINGS = 512;
const spellings = new Map<string, string>();

/**
 * One string for each spelling of a name. Whoever looks the name up then, and a request's are looked up five times on their way, finds it by
 * identity: a piece of the head is compared letter by letter each time.
 */
function spelled(name: string): string {
  const known = spellings.get(name);
  if (known !== undefined) return known;
  if (spellings.size >= MAX_SPELLINGS || name.length > 64) return name;
  // Of its own: a piece would keep the whole head that it was cut from.
  const own = Buffer.from(name, 'latin1').toString('latin1');
  spellings.set(own, own);
  return own;
}
