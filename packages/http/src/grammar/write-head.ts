import { STATUS_CODES } from 'node:http';
import { HttpFault } from '#grammar/http-fault.ts';

/** Anything else would be cut to its low byte on the way out, and could become the end of a line there. */
const WRITABLE = /^[\t\x20-\x7e\x80-\xff]*$/;
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Names repeat; a hostile client must not be able to grow this. */
const MAX_KNOWN_NAMES = 512;
const knownNames = new Set<string>();

/** The head of a request as one string of bytes. `fields` is flat. Throws HttpFault where they could not be read back as they are. */
export function requestHead(method: string, target: string, fields: readonly string[]): string {
  return `${method} ${target} HTTP/1.1\r\n${lines(fields)}\r\n`;
}

/** The same of an answer; `reason` of RFC 9110 where it is undefined. */
export function answerHead(status: number, reason: string | undefined, fields: readonly string[]): string {
  return `HTTP/1.1 ${status} ${reason ?? STATUS_CODES[status] ?? ''}\r\n${lines(fields)}\r\n`;
}

function lines(fields: readonly string[]): string {
  let text = '';
  let values = '';
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? '';
    const value = fields[i + 1] ?? '';
    if (!knownNames.has(name)) learn(name);
    text += `${name}: ${value}\r\n`;
    values += value;
  }
  // All at once, which takes a fraction of one by one.
  if (!WRITABLE.test(values)) throw unwritable(fields);
  return text;
}

function unwritable(fields: readonly string[]): HttpFault {
  const name = fields.find((_, i) => i % 2 === 0 && !WRITABLE.test(fields[i + 1] ?? ''));
  return new HttpFault(`the header ${name} holds a character that no header may hold`);
}

function learn(name: string): void {
  if (!NAME.test(name)) throw new HttpFault('a header name holds a character that no header name may hold');
  if (knownNames.size < MAX_KNOWN_NAMES && name.length <= 64) knownNames.add(name);
}

/** Head and body in one piece, so that they leave in one write and one TLS record. */
export function joined(head: string, body: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(head.length + body.length);
  bytes.write(head, 0, 'latin1');
  body.copy(bytes, head.length);
  return bytes;
}
