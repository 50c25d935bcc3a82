import { randomBytes } from 'node:crypto';

const LINE_SUFFIX = '.line.postern.internal';
/** A token is a name, which stands on the wire, and a key, which does not. */
export const LINE_NAME_BYTES = 16;
export const LINE_TOKEN_BYTES = 32;

/** The name of the token that a server name asks with; undefined where it is not a line's. */
export function lineNameOf(serverName: string): string | undefined {
  const label = serverName.slice(0, -LINE_SUFFIX.length);
  return serverName === label + LINE_SUFFIX ? label : undefined;
}

/**
 * The first bytes of a line: a ClientHello (RFC 8446, 4.1.2) under the name of the token. Nobody answers it. It is what the proxy's port
 * chooses a door by, as for everything else that comes to it, and what balancers in front of it let pass.
 */
export function lineHello(token: Buffer): Buffer {
  const name = vector(2, Buffer.from(token.toString('hex', 0, LINE_NAME_BYTES) + LINE_SUFFIX));
  const extensions = vector(
    2,
    extension(SERVER_NAME, vector(2, Buffer.concat([Buffer.of(HOST_NAME), name]))),
    extension(SUPPORTED_VERSIONS, vector(1, TLS_1_3)),
  );
  const body = Buffer.concat([TLS_1_2, randomBytes(32), vector(1), vector(2, AES_128_GCM_SHA256), vector(1, NO_COMPRESSION), extensions]);
  const message = Buffer.concat([Buffer.of(CLIENT_HELLO), vector(3, body)]);
  return Buffer.concat([Buffer.of(HANDSHAKE_RECORD), TLS_1_0, vector(2, message)]);
}

const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const HOST_NAME = 0;
const SUPPORTED_VERSIONS = 43;
const TLS_1_0 = Buffer.of(3, 1);
const TLS_1_2 = Buffer.of(3, 3);
const TLS_1_3 = Buffer.of(3, 4);
const AES_128_GCM_SHA256 = Buffer.of(0x13, 0x01);
const NO_COMPRESSION = Buffer.of(0);

/** Preceded by its length in so many bytes. */
function vector(lengthBytes: number, ...parts: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat(parts);
  const length = Buffer.alloc(lengthBytes);
  length.writeUIntBE(bytes.length, 0, lengthBytes);
  return Buffer.concat([length, bytes]);
}

function extension(type: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.of(0, type), vector(2, body)]);
}
