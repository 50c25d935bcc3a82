/** RFC 8446 (4.1.2, 5.1), RFC 6066 (3), RFC 7301 (3.1). Reads what the relay needs to choose a door, and nothing more. */
export type PeekedHello =
  /** At least so many bytes are needed before it is worth looking again. */
  | { readonly kind: 'incomplete'; readonly needBytes: number }
  | { readonly kind: 'malformed'; readonly alert: AlertDescription; readonly reason: string }
  | {
      readonly kind: 'hello';
      /** Lower case; absent where the client names no server. */
      readonly serverName: string | undefined;
      readonly alpnProtocols: readonly string[];
    };

/** RFC 8446, 6. */
export const alerts = {
  unexpectedMessage: 10,
  illegalParameter: 47,
  decodeError: 50,
  internalError: 80,
  unrecognizedName: 112,
  noApplicationProtocol: 120,
} as const;
export type AlertDescription = (typeof alerts)[keyof typeof alerts];

const RECORD_HEADER = 5;
const HANDSHAKE_HEADER = 4;
const MAX_RECORD_PAYLOAD = 16_384;
const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const EXT_SERVER_NAME = 0;
const EXT_ALPN = 16;
const MAX_NAME = 255;

class Malformed extends Error {
  readonly alert: AlertDescription;
  constructor(reason: string, alert: AlertDescription = alerts.decodeError) {
    super(reason);
    this.alert = alert;
  }
}

/** Looks at the first bytes of a connection. Strict: what a careful TLS server would refuse is refused here, so that nothing is routed by a name that the far end reads in another way. */
export function readClientHello(bytes: Buffer, limits: { readonly maxBytes: number }): PeekedHello {
  try {
    const message = joinRecords(bytes, limits.maxBytes);
    return Buffer.isBuffer(message) ? readHello(new Reader(message)) : { kind: 'incomplete', needBytes: message.needBytes };
  } catch (error) {
    if (error instanceof Malformed) return { kind: 'malformed', alert: error.alert, reason: error.message };
    throw error;
  }
}

/** The body of the first handshake message, out of as many records as it was cut into. */
function joinRecords(bytes: Buffer, maxBytes: number): Buffer | { needBytes: number } {
  const fragments: Buffer[] = [];
  let joined = 0;
  let messageLength: number | undefined;
  let at = 0;
  for (;;) {
    if (bytes.length > at && bytes[at] !== HANDSHAKE_RECORD) throw new Malformed('not a TLS handshake', alerts.unexpectedMessage);
    if (bytes.length > at + 1 && bytes[at + 1] !== 3) throw new Malformed('not a version of TLS that exists');
    if (bytes.length < at + RECORD_HEADER) return needing(at + RECORD_HEADER, maxBytes);
    const length = bytes.readUInt16BE(at + 3);
    if (length === 0 || length > MAX_RECORD_PAYLOAD) throw new Malformed('a handshake record is empty or too long');
    const end = at + RECORD_HEADER + length;
    if (bytes.length < end) return needing(end, maxBytes);
    fragments.push(bytes.subarray(at + RECORD_HEADER, end));
    joined += length;
    at = end;
    if (messageLength === undefined && joined >= HANDSHAKE_HEADER) {
      const head = Buffer.concat(fragments);
      if (head[0] !== CLIENT_HELLO) throw new Malformed('the first message is not a ClientHello', alerts.unexpectedMessage);
      messageLength = HANDSHAKE_HEADER + head.readUIntBE(1, 3);
      if (messageLength > maxBytes) throw new Malformed('the ClientHello is too long');
    }
    if (messageLength === undefined || joined < messageLength) continue;
    if (joined > messageLength) throw new Malformed('bytes follow the ClientHello in its record', alerts.unexpectedMessage);
    return Buffer.concat(fragments).subarray(HANDSHAKE_HEADER);
  }
}

function needing(needBytes: number, maxBytes: number): { needBytes: number } {
  if (needBytes > maxBytes) throw new Malformed('the ClientHello is too long');
  return { needBytes };
}

function readHello(hello: Reader): PeekedHello {
  if (hello.u16() >> 8 !== 3) throw new Malformed('not a version of TLS that exists');
  hello.take(32);
  if (hello.vector8().length > 32) throw new Malformed('the session id is too long');
  const suites = hello.vector16();
  if (suites.length < 2 || suites.length % 2 !== 0) throw new Malformed('the list of cipher suites is malformed');
  if (hello.vector8().length === 0) throw new Malformed('the list of compressions is empty');
  let serverName: string | undefined;
  let alpnProtocols: readonly string[] = [];
  if (!hello.atEnd) {
    const extensions = new Reader(hello.vector16());
    if (!hello.atEnd) throw new Malformed('bytes follow the extensions');
    const seen = new Set<number>();
    while (!extensions.atEnd) {
      const type = extensions.u16();
      const body = new Reader(extensions.vector16());
      if (seen.has(type)) throw new Malformed('an extension stands twice', alerts.illegalParameter);
      seen.add(type);
      if (type === EXT_SERVER_NAME) serverName = readServerName(body);
      if (type === EXT_ALPN) alpnProtocols = readAlpn(body);
    }
  }
  return { kind: 'hello', serverName, alpnProtocols };
}

function readServerName(body: Reader): string {
  const list = new Reader(body.vector16());
  if (!body.atEnd) throw new Malformed('the server name is malformed');
  const HOST_NAME = 0;
  if (list.u8() !== HOST_NAME) throw new Malformed('the server name is of an unknown type');
  const name = list.vector16().toString('latin1').toLowerCase();
  // RFC 6066 allows one name of each type, and there is one type.
  if (!list.atEnd) throw new Malformed('there is more than one server name', alerts.illegalParameter);
  if (name.length === 0 || name.length > MAX_NAME) throw new Malformed('the server name is empty or too long');
  if (!/^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/.test(name))
    throw new Malformed('the server name is not a host name', alerts.illegalParameter);
  return name;
}

function readAlpn(body: Reader): string[] {
  const list = new Reader(body.vector16());
  if (!body.atEnd || list.atEnd) throw new Malformed('the list of protocols is malformed');
  const protocols: string[] = [];
  while (!list.atEnd) {
    const protocol = list.vector8();
    if (protocol.length === 0) throw new Malformed('the name of a protocol is empty');
    protocols.push(protocol.toString('latin1'));
  }
  return protocols;
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }
  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }
  take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new Malformed('the ClientHello ends too early');
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
  u8(): number {
    return this.take(1).readUInt8();
  }
  u16(): number {
    return this.take(2).readUInt16BE();
  }
  vector8(): Buffer {
    return this.take(this.u8());
  }
  vector16(): Buffer {
    return this.take(this.u16());
  }
}
