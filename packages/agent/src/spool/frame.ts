import { crc32 } from 'node:zlib';
import { restOfFields, type SpoolEvent } from '#spool/event.ts';

/** `event` is to be uploaded; `carried` only repeats an intent whose segment was deleted before its outcome came. */
export type FrameKind = 'event' | 'carried';

const headerBytes = 9;
const kinds = ['event', 'carried'] as const;

/** Field numbers of AuditEvent in proto/postern/v1/audit.proto with their wire types. */
const tag = { id: 0x0a, code: 0x1a, timeMs: 0x20, success: 0x40, fieldsJson: 0x4a } as const;

/** A frame that is still to be written, measured. */
export interface Draft {
  readonly kind: FrameKind;
  readonly event: SpoolEvent;
  readonly rest: string;
  /** Of the fields, the encoded beginning and the rest. */
  readonly fieldsBytes: number;
  /** Of the whole frame. */
  readonly bytes: number;
}

export function draftFrame(kind: FrameKind, event: SpoolEvent): Draft {
  const { encoded } = event.head;
  const rest = restOfFields(event);
  const fieldsBytes = rest === '' ? 0 : event.fields.encoded.length + Buffer.byteLength(rest);
  const texts = lengthOf(Buffer.byteLength(event.id)) + encoded.kind.length + lengthOf(Buffer.byteLength(event.code)) + encoded.rest.length;
  const time = event.timeMs === 0 ? 0 : 1 + lengthOfVarint(event.timeMs);
  const bytes = headerBytes + texts + time + (event.success ? 2 : 0) + lengthOf(fieldsBytes);
  return { kind, event, rest, fieldsBytes, bytes };
}

/**
 * Layout: length of the payload (u32), CRC-32 of kind and payload (u32), kind (u8), AuditEvent as protobuf, its fields in order.
 * Written by hand, for this is the path of each request and a general encoder takes ten times as long. Answers where it ends.
 */
export function writeFrame(out: Buffer, start: number, { kind, event, rest, fieldsBytes, bytes }: Draft): number {
  const { encoded } = event.head;
  const end = start + bytes;
  out.writeUInt32LE(bytes - headerBytes, start);
  out[start + 8] = kinds.indexOf(kind);
  let at = writeText(out, start + headerBytes, { tag: tag.id, text: event.id, bytes: Buffer.byteLength(event.id) });
  out.set(encoded.kind, at);
  at = writeText(out, at + encoded.kind.length, { tag: tag.code, text: event.code, bytes: Buffer.byteLength(event.code) });
  if (event.timeMs !== 0) {
    out[at] = tag.timeMs;
    at = writeVarint(out, at + 1, event.timeMs);
  }
  out.set(encoded.rest, at);
  at += encoded.rest.length;
  if (event.success) {
    out[at] = tag.success;
    out[at + 1] = 1;
    at += 2;
  }
  if (fieldsBytes > 0) {
    out[at] = tag.fieldsJson;
    at = writeVarint(out, at + 1, fieldsBytes);
    out.set(event.fields.encoded, at);
    at += event.fields.encoded.length;
    at += out.write(rest, at, end - at, 'utf8');
  }
  if (at !== end) throw new Error(`a frame of the audit spool has ${at - start} bytes and was measured as ${bytes}`);
  out.writeUInt32LE(crc32(out.subarray(start + 8, end)), start + 4);
  return end;
}

/** Where a frame lies in the bytes it was read from. */
export interface FrameAt {
  readonly kind: FrameKind;
  /** The AuditEvent, from where to where. */
  readonly start: number;
  readonly end: number;
}

/** The frame at `offset`: `cut` where the bytes end before it does, `damaged` where they are not what was written. */
export function findFrame(bytes: Buffer, offset: number): FrameAt | 'cut' | 'damaged' {
  const left = bytes.length - offset;
  if (left < headerBytes) return 'cut';
  const length = headerBytes + bytes.readUInt32LE(offset);
  if (length > left) return 'cut';
  const end = offset + length;
  const kind = kinds[bytes[offset + 8] ?? -1];
  if (kind === undefined || crc32(bytes.subarray(offset + 8, end)) !== bytes.readUInt32LE(offset + 4)) return 'damaged';
  return { kind, start: offset + headerBytes, end };
}

/** Where the frame at the beginning of these bytes says that it ends; no frame ends with a zero. */
export function endOfFrame(bytes: Buffer): number {
  return bytes.length < headerBytes ? headerBytes : headerBytes + bytes.readUInt32LE(0);
}

function writeText(out: Buffer, at: number, field: { readonly tag: number; readonly text: string; readonly bytes: number }): number {
  if (field.bytes === 0) return at;
  out[at] = field.tag;
  const start = writeVarint(out, at + 1, field.bytes);
  return start + out.write(field.text, start, field.bytes, 'utf8');
}

/** Base 128, lowest first: https://protobuf.dev/programming-guides/encoding/#varints */
export function writeVarint(out: Buffer, start: number, value: number): number {
  let at = start;
  let left = value;
  // Not with shifts, which end at 32 bits.
  for (; left >= 128; left = Math.floor(left / 128)) out[at++] = (left % 128) | 0x80;
  out[at++] = left;
  return at;
}

export function lengthOfVarint(value: number): number {
  let length = 1;
  for (let left = value; left >= 128; left = Math.floor(left / 128)) length += 1;
  return length;
}

/** With its tag; proto3 does not write what is empty. */
function lengthOf(length: number): number {
  return length === 0 ? 0 : 1 + lengthOfVarint(length) + length;
}
