import { DialRequest, PosternError } from '@postern/api';

/**
 * The first message on a Carry stream, from the proxy: four bytes of length, a DialRequest, and then whatever the
 * client has sent so far, so that a dial costs no round trip of its own. The agent's first message answers: one
 * byte 0 and bytes may flow, or one byte 1 and the reason in words. From then on both sides are byte streams. On a line
 * the same is said, but sealed (`line-dial.ts`).
 */
export interface Dial {
  readonly resourceId: Buffer;
  readonly clientAddress: string;
  /** What the client sent before the dial. */
  readonly head: Buffer;
}

const LENGTH_BYTES = 4;
const MAX_REQUEST_BYTES = 1024;
const MAX_REASON_BYTES = 512;
const RESOURCE_ID_BYTES = 8;
/** Of a DialRequest, and of an answer, which is shorter. */
export const MAX_FRAME_BYTES = MAX_REQUEST_BYTES;
const ACCEPTED = 0;
const REFUSED = 1;

export function writeDial(dial: Dial): Buffer {
  const request = writeDialRequest(dial);
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(request.length);
  return Buffer.concat([length, request, dial.head]);
}

export function readDial(frame: Buffer): Dial {
  if (frame.length < LENGTH_BYTES) throw malformed();
  const length = frame.readUInt32BE(0);
  const end = LENGTH_BYTES + length;
  if (length > MAX_REQUEST_BYTES || frame.length < end) throw malformed();
  return { ...readDialRequest(frame.subarray(LENGTH_BYTES, end)), head: frame.subarray(end) };
}

export function writeDialRequest({ resourceId, clientAddress }: Omit<Dial, 'head'>): Buffer {
  return Buffer.from(DialRequest.encode({ resourceId, clientAddress }).finish());
}

export function readDialRequest(bytes: Buffer): Omit<Dial, 'head'> {
  const request = decodeRequest(bytes);
  const resourceId = Buffer.from(request.resourceId);
  if (resourceId.length !== RESOURCE_ID_BYTES) throw malformed();
  return { resourceId, clientAddress: request.clientAddress };
}

export function writeAnswer(refusal?: string): Buffer {
  if (refusal === undefined) return Buffer.from([ACCEPTED]);
  return Buffer.concat([Buffer.from([REFUSED]), Buffer.from(refusal).subarray(0, MAX_REASON_BYTES)]);
}

/** The reason where the agent refused, undefined where it accepted. */
export function readAnswer(frame: Buffer): string | undefined {
  if (frame.length === 1 && frame[0] === ACCEPTED) return undefined;
  if (frame[0] !== REFUSED || frame.length > 1 + MAX_REASON_BYTES) throw malformed();
  return frame.subarray(1).toString('utf8');
}

function decodeRequest(bytes: Buffer): DialRequest {
  try {
    return DialRequest.decode(bytes);
  } catch (cause) {
    throw new PosternError('bad_request', 'the dial request on a tunnel stream is malformed', { cause });
  }
}

function malformed(): PosternError {
  return new PosternError('bad_request', 'the first message on a tunnel stream is malformed');
}
