import { crc32 } from 'node:zlib';
import { AuditEvent } from '@postern/api';

/** `event` is to be uploaded; `carried` only repeats an intent whose segment was deleted before its outcome came. */
export type FrameKind = 'event' | 'carried';

const headerBytes = 9;
const kinds = ['event', 'carried'] as const;

/** Layout: length of the payload (u32), CRC-32 of kind and payload (u32), kind (u8), AuditEvent as protobuf. */
export function encodeFrame(kind: FrameKind, event: AuditEvent): Buffer {
  const payload = encodeEvent(event);
  const frame = Buffer.allocUnsafe(headerBytes + payload.length);
  frame.writeUInt32LE(payload.length, 0);
  frame[8] = kinds.indexOf(kind);
  frame.set(payload, headerBytes);
  frame.writeUInt32LE(crc32(frame.subarray(8)), 4);
  return frame;
}

/** One writer for all frames: a new one begins small and grows by copying, which costs more than what it writes. */
let writer = emptyWriter();

function emptyWriter(): ReturnType<typeof AuditEvent.encode> {
  return AuditEvent.encode(AuditEvent.create());
}

function encodeEvent(event: AuditEvent): Uint8Array {
  try {
    return AuditEvent.encode(event, writer).finish();
  } catch (error) {
    // Half an event is left in it.
    writer = emptyWriter();
    throw error;
  }
}

export interface Frame {
  readonly kind: FrameKind;
  readonly event: AuditEvent;
  /** Bytes of the frame in the file. */
  readonly length: number;
}

/** The frame at `offset`: `cut` where the bytes end before it does, `damaged` where they are not what was written. */
export function decodeFrame(bytes: Buffer, offset: number): Frame | 'cut' | 'damaged' {
  const left = bytes.length - offset;
  if (left < headerBytes) return 'cut';
  const length = headerBytes + bytes.readUInt32LE(offset);
  if (length > left) return 'cut';
  const checked = bytes.subarray(offset + 8, offset + length);
  const kind = kinds[bytes[offset + 8] ?? -1];
  if (kind === undefined || crc32(checked) !== bytes.readUInt32LE(offset + 4)) return 'damaged';
  const event = AuditEvent.decode(checked.subarray(1));
  return { kind, event: { ...event, fieldsJson: Buffer.from(event.fieldsJson) }, length };
}
