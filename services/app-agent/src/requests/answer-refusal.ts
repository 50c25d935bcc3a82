import { randomUUID } from 'node:crypto';
import { type AwsProtocol, awsRefusal } from '@postern/aws';
import type { Refusal } from '#requests/refusals.ts';
import type { ClientExchange } from '#sessions/http-door.ts';

/** Answers in the shape of the protocol that asked, so that every SDK shows the sentence; returns the status. */
export function answerRefusal(exchange: ClientExchange, protocol: AwsProtocol, refusal: Refusal): number {
  const { kind, message, retryAfterMs } = refusal;
  // A connection of HTTP/2 belongs to the key of its first request: one that has got another since finds its session on a new one.
  if (refusal.close === true || (exchange.isHttp2 && kind === 'unknown_key')) exchange.readNoMore();
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
