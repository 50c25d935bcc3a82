import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { PkiError } from '#pki-error.ts';
import { fromBase32, toBase32 } from '#routing/base32.ts';
import { RESOURCE_ID_BYTES } from '#routing/resource-id.ts';

/** base32(resource id (8) ‖ expiry in seconds (4) ‖ nonce (8) ‖ HMAC-SHA-256/128 (16)): one DNS label. */
export const TICKET_LENGTH = 58;
const NONCE_BYTES = 8;
const SIGNED_BYTES = RESOURCE_ID_BYTES + 4 + NONCE_BYTES;
const MAC_BYTES = 16;
const MIN_KEY_BYTES = 16;

export interface Ticket {
  readonly resourceId: Buffer;
  readonly expiresMs: number;
}

export function makeTicket(options: { readonly resourceId: Buffer; readonly expiresMs: number; readonly key: Buffer }): string {
  const { resourceId, expiresMs, key } = options;
  const expiry = Math.floor(expiresMs / 1000);
  if (resourceId.length !== RESOURCE_ID_BYTES) throw new PkiError('bad_request', `a resource id has ${RESOURCE_ID_BYTES} bytes`);
  if (!Number.isSafeInteger(expiry) || expiry <= 0 || expiry > 0xffffffff)
    throw new PkiError('bad_request', 'a ticket must end at a time that fits it');
  if (key.length < MIN_KEY_BYTES) throw new PkiError('bad_key', `a ticket key has at least ${MIN_KEY_BYTES} bytes`);
  const seconds = Buffer.alloc(4);
  seconds.writeUInt32BE(expiry);
  const signed = Buffer.concat([resourceId, seconds, randomBytes(NONCE_BYTES)]);
  return toBase32(Buffer.concat([signed, macOf(signed, key)]));
}

/** undefined for whatever is forged, expired or no ticket at all: the asker hears no reason. */
export function readTicket(options: {
  readonly ticket: string;
  readonly keys: readonly Buffer[];
  readonly nowMs: number;
}): Ticket | undefined {
  const { ticket, keys, nowMs } = options;
  if (ticket.length !== TICKET_LENGTH) return undefined;
  const bytes = fromBase32(ticket);
  if (!bytes) return undefined;
  const signed = bytes.subarray(0, SIGNED_BYTES);
  const mac = bytes.subarray(SIGNED_BYTES);
  let genuine = false;
  for (const key of keys) if (key.length >= MIN_KEY_BYTES && timingSafeEqual(macOf(signed, key), mac)) genuine = true;
  const expiresMs = signed.readUInt32BE(RESOURCE_ID_BYTES) * 1000;
  if (!genuine || !(nowMs < expiresMs)) return undefined;
  return { resourceId: Buffer.from(signed.subarray(0, RESOURCE_ID_BYTES)), expiresMs };
}

/** The same key signs client addresses (proxy-header.ts); the prefix keeps one from passing for the other. */
function macOf(signed: Buffer, key: Buffer): Buffer {
  return createHmac('sha256', key).update('postern route ticket 1\0').update(signed).digest().subarray(0, MAC_BYTES);
}
