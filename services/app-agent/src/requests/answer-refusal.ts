import { randomUUID } from 'node:crypto';
import { type AwsProtocol, awsRefusal } from '@postern/aws';
import type { Refusal } from '#requests/refusals.ts';
import type { ClientExchange } from '#sessions/http-door.ts';

/** Answers in the shape of the protocol that asked, so that every SDK shows the sentence; returns the status. */
export function answerRefusal(exchange: ClientExchange, protocol: AwsProtocol, refusal: Refusal): number {
  if (refusal.close === true) exchange.readNoMore();
  const { kind, message, retryAfterMs } = refusal;
  const made = awsRefusal({
    kind,
    message,
    protocol,
    method: exchange.head.method,
    requestId: randomUUID(),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
  if (!exchange.started) exchange.answer(made.status, made.headers, made.body);
  return made.status;
}
