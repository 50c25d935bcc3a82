import { createRequire } from 'node:module';

/** A message that was read whole. */
export interface Message {
  /** `POST /path`, or `200 OK`. */
  readonly line: string;
  readonly fields: readonly string[];
  /** One character a byte. */
  readonly body: string;
}

/** Node's binding of llhttp, which has no types and no promise: the tests that use it are what would notice a change. */
interface Parser {
  initialize(kind: number, resource: object, maxHeaderSize: number, lenientFlags: number): void;
  execute(bytes: Buffer): number | Error;
  finish(): Error | undefined;
  free(): void;
  [callback: number]: unknown;
}
interface HttpParser {
  new (): Parser;
  readonly REQUEST: number;
  readonly RESPONSE: number;
  readonly kOnHeaders: number;
  readonly kOnHeadersComplete: number;
  readonly kOnBody: number;
  readonly kOnMessageComplete: number;
}
const common = createRequire(import.meta.url)('_http_common') as { readonly HTTPParser: HttpParser; readonly methods: readonly string[] };

/** What llhttp, with no leniency, reads of these bytes. The body of an answer may end with the connection. */
export function readWithLlhttp(kind: 'request' | 'answer', bytes: Buffer): Message[] {
  const { HTTPParser, methods } = common;
  const parser = new HTTPParser();
  parser.initialize(kind === 'request' ? HTTPParser.REQUEST : HTTPParser.RESPONSE, {}, 16_384, 0);
  const whole: Message[] = [];
  let early: string[] = [];
  let earlyUrl = '';
  let head: { line: string; fields: string[] } | undefined;
  let body: Buffer[] = [];
  let isInterim = false;
  parser[HTTPParser.kOnHeaders] = (fields: string[], url: string) => {
    // Behind the body they are trailers; before it they are more lines than fit in one call, or a message behind one with trailers.
    if (head !== undefined) return;
    early = [...early, ...fields];
    earlyUrl = url || earlyUrl;
  };
  parser[HTTPParser.kOnHeadersComplete] = (...args: readonly unknown[]) => {
    const [, , fields, method, url, status, reason] = args as [
      number,
      number,
      string[] | undefined,
      number,
      string | undefined,
      number,
      string,
    ];
    head = { line: kind === 'request' ? `${methods[method]} ${url ?? earlyUrl}` : `${status} ${reason}`, fields: fields ?? early };
    isInterim = kind === 'answer' && status < 200;
    early = [];
    body = [];
    return isInterim ? 1 : 0;
  };
  parser[HTTPParser.kOnBody] = (piece: Buffer) => body.push(Buffer.from(piece));
  parser[HTTPParser.kOnMessageComplete] = () => {
    if (head !== undefined && !isInterim) whole.push({ ...head, body: Buffer.concat(body).toString('latin1') });
    head = undefined;
  };
  if (!(parser.execute(bytes) instanceof Error) && kind === 'answer') parser.finish();
  parser.free();
  return whole;
}
