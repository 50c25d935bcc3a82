import { randomUUID } from 'node:crypto';
import { dynamodbRefusal } from '@postern/aws';
import type { Refusal } from '#requests/refusals.ts';
import type { ClientExchange } from '#sessions/http-door.ts';

/** Answers in AWS's own shape, so that every SDK shows the sentence; returns the status. */
export function answerRefusal(exchange: ClientExchange, refusal: Refusal): number {
  if (refusal.close === true) exchange.readNoMore();
  const retry = refusal.retryAfterMs === undefined ? {} : { retryAfterMs: refusal.retryAfterMs };
  const made = dynamodbRefusal({ code: refusal.code, message: refusal.message, requestId: randomUUID(), ...retry });
  const status = refusal.status ?? made.status;
  if (!exchange.started) exchange.answer(status, made.headers, made.body);
  return status;
}
