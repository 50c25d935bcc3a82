import { setTimeout as wait } from 'node:timers/promises';

import { type EventMessage, encodeMessage } from '#event-stream/message.ts';
import type { Answer } from '#protocols/aws-error.ts';

const defaultDelayMs = 50;

export function event(type: string, payload: Buffer | object, contentType = 'application/json'): EventMessage {
  return {
    headers: { ':event-type': type, ':content-type': contentType, ':message-type': 'event' },
    payload: Buffer.isBuffer(payload) ? payload : Buffer.from(JSON.stringify(payload)),
  };
}

/** Messages one by one with a pause before each, so that whoever holds them back on the way is seen. */
export function streamEvents(messages: Iterable<EventMessage>, delayMs = defaultDelayMs): Answer['body'] {
  return (async function* stream() {
    for (const message of messages) {
      await wait(delayMs);
      yield encodeMessage(message);
    }
  })();
}
