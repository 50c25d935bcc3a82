import { findFrame, writeVarint } from '#spool/frame.ts';

/** AppendEventsRequest.events in proto/postern/v1/audit.proto. */
const EVENTS_TAG = 0x0a;

export interface PackedEvents {
  readonly count: number;
  /** A protobuf AppendEventsRequest; it lies where the frames lay. */
  readonly message: Buffer;
  /** Up to where the frames were read. */
  readonly end: number;
  /** Why it ended there: all bytes or enough events read, a frame that goes on behind them, or one that is not what was written. */
  readonly stopped: 'enough' | 'cut' | 'damaged';
}

/**
 * Makes of stored frames the message that auth takes, within the same memory: what stands before an event in the message, a
 * tag and a length, is shorter than the header of its frame. So an event is not decoded again on an agent.
 */
export function packEvents(bytes: Buffer, maxEvents: number): PackedEvents {
  let [count, at, packed] = [0, 0, 0];
  const answer = (stopped: PackedEvents['stopped']): PackedEvents => ({ count, message: bytes.subarray(0, packed), end: at, stopped });
  while (at < bytes.length && count < maxEvents) {
    const frame = findFrame(bytes, at);
    if (typeof frame === 'string') return answer(frame);
    at = frame.end;
    if (frame.kind !== 'event') continue;
    bytes[packed] = EVENTS_TAG;
    packed = writeVarint(bytes, packed + 1, frame.end - frame.start);
    bytes.copyWithin(packed, frame.start, frame.end);
    packed += frame.end - frame.start;
    count += 1;
  }
  return answer('enough');
}
