import { randomUUID } from 'node:crypto';
import { dynamodbRefusal } from '@postern/aws';
import { BODY_IDLE_MS, MAX_BODY_BYTES } from '#config.ts';
import type { Refusal } from '#requests/refusals.ts';
import type { Exchange } from '#sessions/http-door.ts';
import { discardRest } from '#sessions/read-body.ts';

/** Answers in AWS's own shape, so that every SDK shows the sentence; returns the status. */
export function answerRefusal(exchange: Pick<Exchange, 'request' | 'response' | 'readNoMore'>, refusal: Refusal): number {
  const { request, response } = exchange;
  if (refusal.close === true) exchange.readNoMore();
  const retry = refusal.retryAfterMs === undefined ? {} : { retryAfterMs: refusal.retryAfterMs };
  const made = dynamodbRefusal({ code: refusal.code, message: refusal.message, requestId: randomUUID(), ...retry });
  const status = refusal.status ?? made.status;
  if (response.destroyed || response.headersSent) return status;
  // An SDK reads the answer only after it has sent its body: what comes of it is thrown away, within bounds.
  discardRest(request, { maxBytes: 2 * MAX_BODY_BYTES, idleMs: BODY_IDLE_MS });
  response.writeHead(status, refusal.close === true ? [...made.headers, 'connection', 'close'] : made.headers);
  response.end(made.body);
  return status;
}
