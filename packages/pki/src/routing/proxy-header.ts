import { createHmac, timingSafeEqual } from 'node:crypto';
import { isIP, SocketAddress } from 'node:net';
import { PkiError } from '#pki-error.ts';
import { addressBytes } from '#routing/address-bytes.ts';

/** HAProxy's PROXY protocol, version 2: https://www.haproxy.org/download/1.8/doc/proxy-protocol.txt, section 2.2. */
const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const FIXED_BYTES = 16;
const VERSION_2_PROXY = 0x21;
const VERSION_2_LOCAL = 0x20;
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;
/** From the range that the specification leaves to applications. */
const MAC_TLV = 0xe7;
const MAC_BYTES = 32;
/** A longer one is refused before it is awaited: the specification asks readers to expect 216 bytes of addresses. */
export const MAX_PROXY_HEADER_BYTES = FIXED_BYTES + 512;

export function proxyHeader(options: { readonly clientAddress: string; readonly clientPort: number; readonly key: Buffer }): Buffer {
  const source = addressBytes(options.clientAddress);
  if (!source) throw new PkiError('bad_request', 'the client address is not an IP address');
  const family = source.length === 4 ? TCP_OVER_IPV4 : TCP_OVER_IPV6;
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(options.clientPort, 0);
  // The destination is auth itself, which knows it: left zero.
  const addresses = Buffer.concat([source, Buffer.alloc(source.length), ports]);
  const head = Buffer.alloc(4);
  head.writeUInt8(VERSION_2_PROXY, 0);
  head.writeUInt8(family, 1);
  head.writeUInt16BE(addresses.length + 3 + MAC_BYTES, 2);
  const tlv = Buffer.from([MAC_TLV, 0, MAC_BYTES]);
  return Buffer.concat([SIGNATURE, head, addresses, tlv, macOf(family, addresses, options.key)]);
}

export type ProxyHeader =
  /** Fewer bytes than the header has: wait for more, under the caller's own time limit. */
  | { readonly kind: 'incomplete' }
  /** The connection does not begin with one. Nothing was consumed. */
  | { readonly kind: 'absent' }
  /** Close the connection. */
  | { readonly kind: 'malformed' }
  /** Well-formed and not proven by one of the keys: skip `length` bytes and count the socket's own address. */
  | { readonly kind: 'unproven'; readonly length: number }
  | { readonly kind: 'proven'; readonly length: number; readonly clientAddress: string; readonly clientPort: number };

/** Call it again with more bytes as long as it answers `incomplete`; it looks at no more than MAX_PROXY_HEADER_BYTES. */
export function readProxyHeader(options: { readonly bytes: Buffer; readonly keys: readonly Buffer[] }): ProxyHeader {
  const { bytes, keys } = options;
  const seen = Math.min(bytes.length, SIGNATURE.length);
  if (!bytes.subarray(0, seen).equals(SIGNATURE.subarray(0, seen))) return { kind: 'absent' };
  if (bytes.length < FIXED_BYTES) return { kind: 'incomplete' };
  const command = bytes.readUInt8(12);
  const family = bytes.readUInt8(13);
  const length = FIXED_BYTES + bytes.readUInt16BE(14);
  if ((command !== VERSION_2_PROXY && command !== VERSION_2_LOCAL) || length > MAX_PROXY_HEADER_BYTES) return { kind: 'malformed' };
  if (bytes.length < length) return { kind: 'incomplete' };
  if (command === VERSION_2_LOCAL) return { kind: 'unproven', length };
  const addressLength = family === TCP_OVER_IPV4 ? 4 : family === TCP_OVER_IPV6 ? 16 : undefined;
  if (addressLength === undefined) return { kind: 'unproven', length };
  const tlvStart = FIXED_BYTES + addressLength * 2 + 4;
  if (length < tlvStart) return { kind: 'malformed' };
  const macs = readMacs(bytes.subarray(tlvStart, length));
  if (!macs) return { kind: 'malformed' };
  const addresses = bytes.subarray(FIXED_BYTES, tlvStart);
  const [mac] = macs;
  const proven =
    macs.length === 1 &&
    mac !== undefined &&
    mac.length === MAC_BYTES &&
    keys.some((key) => timingSafeEqual(macOf(family, addresses, key), mac));
  if (!proven) return { kind: 'unproven', length };
  return {
    kind: 'proven',
    length,
    clientAddress: addressText(addresses.subarray(0, addressLength)),
    clientPort: addresses.readUInt16BE(addressLength * 2),
  };
}

/** The values of our own TLV; others are skipped. undefined where the list does not fill its space exactly. */
function readMacs(tlvs: Buffer): Buffer[] | undefined {
  const macs: Buffer[] = [];
  let offset = 0;
  while (offset < tlvs.length) {
    if (offset + 3 > tlvs.length) return undefined;
    const end = offset + 3 + tlvs.readUInt16BE(offset + 1);
    if (end > tlvs.length) return undefined;
    if (tlvs[offset] === MAC_TLV) macs.push(tlvs.subarray(offset + 3, end));
    offset = end;
  }
  return macs;
}

function addressText(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16)).join(':');
  return isIP(groups) === 6 ? new SocketAddress({ address: groups, family: 'ipv6' }).address : groups;
}

function macOf(family: number, addresses: Buffer, key: Buffer): Buffer {
  return createHmac('sha256', key)
    .update('postern client address 1\0')
    .update(Buffer.from([family]))
    .update(addresses)
    .digest();
}
